//! What there is to know of a function that is a class.

use crate::Range;

/// A class: the parts that are evaluated once, with the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFacts {
    /// As it is written in the text.
    pub name: Option<String>,
    /// The expression after `extends`.
    pub heritage: Option<Range>,
    /// The expressions between the brackets of its own members' keys.
    pub computed_keys: Vec<ComputedKey>,
    /// What is evaluated with the class: static fields, accessors and blocks.
    pub statics: Vec<StaticMember>,
    /// Of the `}` that ends the body.
    pub body_end: u32,
    /// It has a static field that is private.
    pub has_private_static_field: bool,
    /// A static block uses a private name.
    pub static_blocks_use_private: bool,
    /// Methods, getters and setters of the prototype whose names are written in the text, each once.
    pub member_names: Vec<String>,
    /// Instances have something private: a field, a method or an accessor.
    pub private_instance: bool,
}

/// A key that is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputedKey {
    /// The expression, without its brackets.
    pub range: Range,
    /// Names in it that are not declared in the text, in order of first appearance.
    pub free: Vec<String>,
}

/// A member of a class that is evaluated with the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticMember {
    /// The whole of it, with the `;` behind it if there is one.
    pub range: Range,
    /// What it is.
    pub kind: StaticKind,
    /// Its key, if that is written in the text; a private one begins with `#`.
    pub name: Option<String>,
    /// Its name is private.
    pub is_private: bool,
}

/// What is evaluated with a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaticKind {
    /// `static x = 1`
    Field,
    /// `static { … }`
    Block,
    /// `static accessor x = 1`
    Accessor,
}

impl StaticKind {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Block => "block",
            Self::Accessor => "accessor",
        }
    }
}
