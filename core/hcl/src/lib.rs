//! HCL for every input of Skybridge: syntax trees with places, values that know *unknown*,
//! *sensitive* and *placeholder*, Terraform's conversions, its evaluator and its functions.
//!
//! The grammar is that of `hcl-edit`; the evaluator is ours. Files are read through [`Files`]:
//! nothing here touches the machine.
//!
//! Limits, and what happens there:
//! - a syntax error ends the reading of its file (semantic errors are collected, all at once);
//! - expressions, templates and blocks nest at most 64 deep, and at most 128 binary operators are
//!   chained: a syntax error beyond; a byte order mark is dropped;
//! - a source text has at most 16 MiB, a computed string at most 16 MiB, a number 160 decimal
//!   digits and a magnitude of 10^±5000, an expression 5 million evaluation steps, to which what functions read
//!   and make is added, and a value in it a million values: an error beyond;
//! - a value that is to be stored with serde as JSON nests at most 32 deep (readers stop at 128);
//! - a placeholder is *known* and of the right type, only marked; Terraform's own *unknown* is
//!   [`Kind::Unknown`].
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about some kinds of value or expression and treats all others alike"
)]

pub mod ast;
mod convert;
mod diagnostic;
mod eval;
mod explain;
mod files;
mod functions;
mod heredoc;
mod json;
mod lower;
mod newlines;
mod numbers;
mod operators;
mod references;
mod refine;
mod spans;
mod template;
mod ty;
mod typeexpr;
mod value;
mod weight;

pub use convert::{ConvertError, convert, unify};
pub use diagnostic::{Diagnostic, Severity, Span, has_errors, nearest_name};
pub use eval::{Resolved, Scope, evaluate, evaluate_with};
pub use files::{Files, MemoryFiles, NoFiles, join_path};
pub use functions::{from_json, function_names, to_json};
pub use json::parse_json;
pub use lower::{parse_body, parse_expr, parse_template};
pub use operators::equal;
pub use references::{Reference, first_call, references, references_in};
pub use spans::Spans;
pub use ty::{Field, Type};
pub use typeexpr::type_constraint;
pub use value::{Kind, Marks, Value, number_to_string};
pub use weight::Weight;

/// Longest string an expression may build, in bytes.
const STRING_LEN_MAX: usize = 16 << 20;
