//! What a module's source says about where its names come from, and where they go.

/// A module's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFacts {
    /// Names that `import` statements bind, in the order of the source.
    pub imports: Vec<Import>,
    /// Names that are declared with a value that comes from `require`, in the order of the source.
    pub requires: Vec<Require>,
    /// What it exports of its own, `module.exports` as a whole under that name.
    pub exports: Vec<Export>,
    /// It is a module, or begins with `"use strict"`.
    pub is_strict: bool,
    /// It can be nothing but a module: it has `import`, `export`, `import.meta` or an `await` at the top.
    pub is_module: bool,
    /// Names of its top level that are assigned to after their declaration.
    pub reassigned: Vec<String>,
}

/// A name that an `import` statement binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// In this module.
    pub local: String,
    /// As it is written.
    pub specifier: String,
    /// There; `default`, or `*` for all.
    pub imported: String,
    /// Those after `with`.
    pub attributes: Vec<(String, String)>,
    /// Nothing of it is left when types are gone.
    pub is_type: bool,
}

/// A name that is declared with a value that comes from `require`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Require {
    /// In this module.
    pub local: String,
    /// As it is written.
    pub specifier: String,
    /// Members that lead from what was required to the value, the outermost first.
    pub path: Vec<String>,
    /// What was required went through a call on the way, whose result may be something else.
    pub is_wrapped: bool,
}

/// Something that a module exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// To others.
    pub exported: String,
    /// In this module; as `exported` where it has no name here.
    pub local: String,
}

/// Analyses the source of a module. `ts`, `jsx`: the languages it may use. An error is the parser's first complaint.
pub fn analyze_module(_source: &str, _ts: bool, _jsx: bool) -> Result<ModuleFacts, String> {
    Err("not yet".to_owned())
}
