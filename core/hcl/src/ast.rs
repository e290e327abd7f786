//! The syntax tree of a file, from native syntax or from JSON, with a place on every node.

use bigdecimal::BigDecimal;

use crate::{Span, Value};

/// The contents of a file or of a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// `name = value`, in the order of the file.
    pub attributes: Vec<Attribute>,
    /// `kind "label" { … }`, in the order of the file.
    pub blocks: Vec<Block>,
    /// Whether it comes from JSON, where a nested block may be spelled as an attribute and only a
    /// schema tells them apart.
    pub json: bool,
}

impl Body {
    /// The attribute of a name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// The blocks of a kind.
    pub fn blocks_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |b| b.kind == kind)
    }
}

/// `name = value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// What is assigned.
    pub expr: Expr,
}

/// `kind "label" { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The first word.
    pub kind: String,
    /// The labels that follow it.
    pub labels: Vec<Label>,
    /// What stands between the braces.
    pub body: Body,
    /// Where the first word stands.
    pub span: Span,
}

impl Block {
    /// The text of a label.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<&str> {
        self.labels.get(index).map(|l| l.text.as_str())
    }
}

/// A label of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `null`, `true`, or a value that came from elsewhere.
    Literal(Value),
    /// A number; the digits of the source.
    Number(BigDecimal),
    /// A string with parts.
    Template(Template),
    /// `[a, b]`
    Tuple(Vec<Expr>),
    /// `{ a = b }`
    Object(Vec<ObjectItem>),
    /// A name: the root of a traversal.
    Variable(String),
    /// `base.name[0].*.x`
    Traversal(Box<Expr>, Vec<Step>),
    /// `f(a, b...)`
    Call {
        /// The name, with its namespace (`provider::x::f`).
        name: String,
        /// Where the name stands.
        name_span: Span,
        /// The arguments.
        args: Vec<Expr>,
        /// Whether the last argument is expanded with `...`.
        expand: bool,
    },
    /// `c ? a : b`
    Conditional(Box<[Expr; 3]>),
    /// `!a`, `-a`
    Unary(Unary, Box<Expr>),
    /// `a + b`
    Binary(Binary, Box<[Expr; 2]>),
    /// `[for …]`, `{for …}`
    For(Box<For>),
    /// `(a)`: keeps `{(a) = b}` apart from `{a = b}` and stops a splat.
    Parens(Box<Expr>),
}

/// One `key = value` of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectItem {
    /// The key.
    pub key: ObjectKey,
    /// The value.
    pub value: Expr,
}

/// A key of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectKey {
    /// A bare name, taken literally.
    Name(String, Span),
    /// Anything else, evaluated.
    Expr(Expr),
}

/// A step of a traversal.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `.name`, and the legacy `.0`
    Attr(String, Span),
    /// `[index]`
    Index(Box<Expr>),
    /// `.*`
    AttrSplat(Span),
    /// `[*]`
    FullSplat(Span),
}

/// A unary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `!`
    Not,
    /// `-`
    Negate,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// `for k, v in collection : key => value... if condition`.
#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// The name of the key or index, when two are given.
    pub key_name: Option<String>,
    /// The name of the element.
    pub value_name: String,
    /// What is walked.
    pub collection: Expr,
    /// The key of the result, for the object form.
    pub key: Option<Expr>,
    /// The element of the result.
    pub value: Expr,
    /// Whether equal keys are grouped with `...`.
    pub group: bool,
    /// The filter.
    pub condition: Option<Expr>,
}

/// The parts of a string, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// Its parts.
    pub parts: Vec<Part>,
}

/// A part of a template. Strip markers are already applied to the literals.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Literal(String),
    /// `${ … }`
    Interpolation(Expr),
    /// `%{ if … } … %{ else } … %{ endif }`
    If {
        /// The condition.
        condition: Expr,
        /// The text when it holds.
        then: Template,
        /// The text when it does not.
        otherwise: Template,
    },
    /// `%{ for … } … %{ endfor }`
    For {
        /// The name of the key or index, when two are given.
        key_name: Option<String>,
        /// The name of the element.
        value_name: String,
        /// What is walked.
        collection: Expr,
        /// The text per element.
        body: Template,
    },
}
