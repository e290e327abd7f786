mod deletions;
mod hops;
mod lifecycles;
mod refusals;
mod wan;
