//! What a function's text says about the function.

use crate::{ClassFacts, FreeName, Range};

/// A function, and what it needs from its surroundings.
///
/// The `extends` clause and the computed keys of a class, and the computed key of a method, are evaluated with the
/// surroundings, not with the function: they count in [`ClassFacts`] and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Where such a text may be written.
    pub form: Form,
    /// What the function is.
    pub kind: Kind,
    /// It is declared `async`.
    pub is_async: bool,
    /// It is declared with `*`.
    pub is_generator: bool,
    /// It is strict by itself: by its own directive, or because it is a class.
    pub is_strict: bool,
    /// As it is written in the text; a private one begins with `#`.
    pub name: Option<String>,
    /// The key of a method, a getter or a setter, brackets included.
    pub key: Option<Range>,
    /// That key is computed.
    pub has_computed_key: bool,
    /// Where V8 says that it begins: at its parameters; a class at `class`.
    pub params_at: u32,
    /// Names that are declared nowhere in the text, in order of first appearance.
    pub free: Vec<FreeName>,
    /// Of the first `this` that is not its own.
    pub outer_this: Option<u32>,
    /// Of the first `arguments` that is not its own.
    pub outer_arguments: Option<u32>,
    /// Of the first `super` that is not of a class or an object in the text.
    pub outer_super: Option<u32>,
    /// Of the first `new.target` that is not its own.
    pub outer_new_target: Option<u32>,
    /// Of the first call of `eval` that sees the names around it.
    pub direct_eval: Option<u32>,
    /// There is a `with` statement.
    pub uses_with: bool,
    /// Each `import.meta`.
    pub import_meta: Vec<Range>,
    /// There is an `import()`.
    pub has_dynamic_import: bool,
    /// Private names that no class in the text declares, in order of first appearance; each begins with `#`.
    pub private_names_outside: Vec<String>,
    /// More, if it is a class.
    pub class: Option<ClassFacts>,
}

/// Where a function's text may be written as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As an expression.
    Expression,
    /// In an object's literal.
    Member,
    /// In the body of a class alone.
    ClassMember,
}

impl Form {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expression => "expression",
            Self::Member => "member",
            Self::ClassMember => "class-member",
        }
    }
}

/// What a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `() => …`
    Arrow,
    /// `function () { … }`
    Function,
    /// `name() { … }`
    Method,
    /// `get name() { … }`
    Getter,
    /// `set name(value) { … }`
    Setter,
    /// `class { … }`
    Class,
}

impl Kind {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Function => "function",
            Self::Method => "method",
            Self::Getter => "getter",
            Self::Setter => "setter",
            Self::Class => "class",
        }
    }
}

/// Analyses the text of a function. An error is the parser's first complaint.
pub fn analyze_function(_text: &str) -> Result<FunctionFacts, String> {
    Err("not yet".to_owned())
}
