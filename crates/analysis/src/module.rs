//! What a module's source says about where its names come from, and where they go.

use oxc_allocator::Allocator;
use oxc_parser::{Parser, ParserReturn};
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::SourceType;
use std::collections::BTreeSet;

use crate::stack::with_room;
use crate::toplevel::TopLevel;

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
    /// Names that are declared in it, at any depth, by `const` alone.
    pub constants: Vec<String>,
    /// Generator functions of its top level, by the names that they have there; `default` if that is all that names one.
    pub generators: Vec<String>,
    /// Its classes, in the same way.
    pub classes: Vec<String>,
    /// What it passes on from other modules.
    pub passed_on: Vec<PassedOn>,
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

/// Something that a module exports of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOn {
    /// To others; `*` for all that it has no name for.
    pub exported: String,
    /// There; `*` for all.
    pub imported: String,
    /// As it is written.
    pub specifier: String,
}

/// Analyses the source of a module. `ts`, `jsx`: the languages it may use. An error is the parser's first complaint.
///
/// What a function at the top level does that is called at once counts as done at the top level.
pub fn analyze_module(source: &str, ts: bool, jsx: bool) -> Result<ModuleFacts, String> {
    with_room(source, || facts(source, ts, jsx))
}

fn facts(source: &str, ts: bool, jsx: bool) -> Result<ModuleFacts, String> {
    let allocator = Allocator::default();
    let as_module = SourceType::mjs().with_typescript(ts).with_jsx(jsx);
    let as_script = SourceType::cjs().with_typescript(ts).with_jsx(jsx);
    let mut parsed = Parser::new(&allocator, source, as_module).parse();
    let mut is_module = parsed.module_record.has_module_syntax;
    if let Some(complaint) = complaint(&parsed) {
        parsed = Parser::new(&allocator, source, as_script).parse();
        if self::complaint(&parsed).is_some() {
            return Err(complaint);
        }
        is_module = false;
    } else if !is_module && source.contains("await") {
        // An `await` at the top is what makes a script of this impossible.
        let script = Parser::new(&allocator, source, as_script).parse();
        is_module = complaint(&script).is_some();
    }
    let program = &parsed.program;
    let semantic = SemanticBuilder::new().build(program).semantic;
    let top = TopLevel::of(program, semantic.scoping());
    Ok(ModuleFacts {
        reassigned: top.reassigned(semantic.scoping()),
        constants: constants(semantic.scoping()),
        imports: top.imports,
        requires: top.requires,
        exports: top.exports,
        generators: top.generators,
        classes: top.classes,
        passed_on: top.passed_on,
        is_strict: is_module || program.has_use_strict_directive(),
        is_module,
    })
}

fn complaint(parsed: &ParserReturn<'_>) -> Option<String> {
    parsed.diagnostics.errors().next().map(ToString::to_string)
}

/// A name means a constant wherever it stands, if nothing but `const` declares it.
fn constants(scoping: &Scoping) -> Vec<String> {
    let mut constants = BTreeSet::new();
    let mut others = BTreeSet::new();
    for symbol in scoping.symbol_ids() {
        let name = scoping.symbol_name(symbol);
        let is_constant = scoping.symbol_flags(symbol).is_const_variable();
        if is_constant {
            constants.insert(name)
        } else {
            others.insert(name)
        };
    }
    let only = constants.difference(&others);
    only.map(|name| (*name).to_owned()).collect()
}
