mod deletions;
mod lifecycles;
mod refusals;
