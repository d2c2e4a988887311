//! What the text of functions and the sources of modules say, as records.

use mobula_analysis::{
    ClassFacts, ComputedKey, Export, FreeName, FunctionFacts, Import, Loading, ModuleFacts,
    PassedOn, Range, Require, StaticMember,
};
use napi::bindgen_prelude::{Error, Result, Status};
use napi_derive::napi;

/// Part of a text, in indices of JavaScript's strings.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct RangeRecord {
    /// Of the first unit.
    pub start: u32,
    /// Behind the last unit.
    pub end: u32,
}

impl From<Range> for RangeRecord {
    fn from(Range { start, end }: Range) -> Self {
        Self { start, end }
    }
}

/// A name that a function uses and does not declare.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct FreeNameRecord {
    /// As JavaScript sees it, escapes resolved.
    pub name: String,
    /// Of the first use.
    pub at: u32,
    /// The function can live without it: it is used under `typeof` somewhere, or it may be the name of a function in a
    /// block, which sloppy code sees outside of that block as well.
    pub is_optional: bool,
    /// Something is assigned to it.
    pub is_assigned: bool,
    /// Every use reads a member of it whose name is written there.
    pub has_members: bool,
    /// Some such member is called at once, so that it sees the whole as `this`.
    pub is_receiver: bool,
    /// Those members, in order of first appearance; empty without `hasMembers`.
    pub members: Vec<String>,
}

impl From<FreeName> for FreeNameRecord {
    fn from(free: FreeName) -> Self {
        Self {
            name: free.name,
            at: free.at,
            is_optional: free.is_optional,
            is_assigned: free.is_assigned,
            has_members: free.has_members,
            is_receiver: free.is_receiver,
            members: free.members,
        }
    }
}

/// A computed key of a class.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct ComputedKeyRecord {
    /// Of the expression, without its brackets.
    pub start: u32,
    /// Behind it.
    pub end: u32,
    /// Names in it that are not declared in the text.
    pub free: Vec<String>,
}

impl From<ComputedKey> for ComputedKeyRecord {
    fn from(ComputedKey { range, free }: ComputedKey) -> Self {
        Self {
            start: range.start,
            end: range.end,
            free,
        }
    }
}

/// A member of a class that is evaluated with the class.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct StaticMemberRecord {
    /// Of the whole of it.
    pub start: u32,
    /// Behind it, and behind its `;` if there is one.
    pub end: u32,
    /// What it is.
    #[napi(ts_type = "'field' | 'block' | 'accessor'")]
    pub kind: &'static str,
    /// Its key, if that is written in the text; a private one begins with `#`.
    pub name: Option<String>,
    /// Its name is private.
    pub is_private: bool,
}

impl From<StaticMember> for StaticMemberRecord {
    fn from(member: StaticMember) -> Self {
        Self {
            start: member.range.start,
            end: member.range.end,
            kind: member.kind.name(),
            name: member.name,
            is_private: member.is_private,
        }
    }
}

/// What there is to know of a function that is a class.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct ClassRecord {
    /// As it is written in the text.
    pub name: Option<String>,
    /// The expression after `extends`.
    pub heritage: Option<RangeRecord>,
    /// Those of its own members.
    pub computed_keys: Vec<ComputedKeyRecord>,
    /// What is evaluated with the class: static fields, accessors and blocks.
    pub statics: Vec<StaticMemberRecord>,
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

impl From<ClassFacts> for ClassRecord {
    fn from(class: ClassFacts) -> Self {
        Self {
            name: class.name,
            heritage: class.heritage.map(Into::into),
            computed_keys: all(class.computed_keys),
            statics: all(class.statics),
            body_end: class.body_end,
            has_private_static_field: class.has_private_static_field,
            static_blocks_use_private: class.static_blocks_use_private,
            member_names: class.member_names,
            private_instance: class.private_instance,
        }
    }
}

/// A function, and what it needs from its surroundings. What is evaluated with the surroundings, the `extends` clause
/// and the computed keys of a class and the computed key of a method, counts in `class` and nowhere else.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct FunctionAnalysis {
    /// Where such a text may be written: as an expression, in an object's literal, in the body of a class alone.
    #[napi(ts_type = "'expression' | 'member' | 'class-member'")]
    pub form: &'static str,
    /// What the function is.
    #[napi(ts_type = "'arrow' | 'function' | 'method' | 'getter' | 'setter' | 'class'")]
    pub kind: &'static str,
    /// It is declared `async`.
    pub is_async: bool,
    /// It is declared with `*`.
    pub is_generator: bool,
    /// It is strict by itself: by its own directive, or because it is a class.
    pub is_strict: bool,
    /// As it is written in the text; a private one begins with `#`.
    pub name: Option<String>,
    /// The key of a method, a getter or a setter, brackets included.
    pub key: Option<RangeRecord>,
    /// That key is computed.
    pub has_computed_key: bool,
    /// Where V8 says that it begins: at the `(` of its parameters; an arrow at its first character; a class at the `(` of
    /// its constructor, or at `class` without one.
    pub params_at: u32,
    /// Names that are declared nowhere in the text, in order of first appearance.
    pub free: Vec<FreeNameRecord>,
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
    pub import_meta: Vec<RangeRecord>,
    /// There is an `import()`.
    pub has_dynamic_import: bool,
    /// Private names that no class in the text declares, in order of first appearance; each begins with `#`.
    pub private_names_outside: Vec<String>,
    /// More, if it is a class.
    pub class: Option<ClassRecord>,
}

impl From<FunctionFacts> for FunctionAnalysis {
    fn from(facts: FunctionFacts) -> Self {
        Self {
            form: facts.form.name(),
            kind: facts.kind.name(),
            is_async: facts.is_async,
            is_generator: facts.is_generator,
            is_strict: facts.is_strict,
            name: facts.name,
            key: facts.key.map(Into::into),
            has_computed_key: facts.has_computed_key,
            params_at: facts.params_at,
            free: all(facts.free),
            outer_this: facts.outer_this,
            outer_arguments: facts.outer_arguments,
            outer_super: facts.outer_super,
            outer_new_target: facts.outer_new_target,
            direct_eval: facts.direct_eval,
            uses_with: facts.uses_with,
            import_meta: all(facts.import_meta),
            has_dynamic_import: facts.has_dynamic_import,
            private_names_outside: facts.private_names_outside,
            class: facts.class.map(Into::into),
        }
    }
}

/// An import attribute.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct AttributeRecord {
    /// Such as `type`.
    pub key: String,
    /// Such as `json`.
    pub value: String,
}

/// A name that an `import` statement binds.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct ImportRecord {
    /// In this module.
    pub local: String,
    /// As it is written.
    pub specifier: String,
    /// There; `default`, or `*` for all.
    pub imported: String,
    /// Those after `with`.
    pub attributes: Vec<AttributeRecord>,
    /// Nothing of it is left when types are gone.
    pub is_type: bool,
}

impl From<Import> for ImportRecord {
    fn from(import: Import) -> Self {
        let attribute = |(key, value)| AttributeRecord { key, value };
        Self {
            local: import.local,
            specifier: import.specifier,
            imported: import.imported,
            attributes: import.attributes.into_iter().map(attribute).collect(),
            is_type: import.is_type,
        }
    }
}

/// A name that is declared with a value that comes from `require`.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct RequireRecord {
    /// In this module.
    pub local: String,
    /// As it is written.
    pub specifier: String,
    /// Members that lead from what was required to the value, the outermost first.
    pub path: Vec<String>,
    /// What was required went through a call on the way, whose result may be something else.
    pub is_wrapped: bool,
}

impl From<Require> for RequireRecord {
    fn from(require: Require) -> Self {
        Self {
            local: require.local,
            specifier: require.specifier,
            path: require.path,
            is_wrapped: require.is_wrapped,
        }
    }
}

/// Something that a module exports.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct ExportRecord {
    /// To others.
    pub exported: String,
    /// In this module; as `exported` where it has no name here.
    pub local: String,
}

impl From<Export> for ExportRecord {
    fn from(Export { exported, local }: Export) -> Self {
        Self { exported, local }
    }
}

/// Something that a module exports of another.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct PassedOnRecord {
    /// To others; `*` for all that it has no name for.
    pub exported: String,
    /// There; `*` for all.
    pub imported: String,
    /// As it is written.
    pub specifier: String,
}

impl From<PassedOn> for PassedOnRecord {
    fn from(it: PassedOn) -> Self {
        let PassedOn {
            exported,
            imported,
            specifier,
        } = it;
        Self {
            exported,
            imported,
            specifier,
        }
    }
}

/// A module's names.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct ModuleAnalysis {
    /// Names that `import` statements bind, in the order of the source.
    pub imports: Vec<ImportRecord>,
    /// Names that are declared with a value that comes from `require`, in the order of the source.
    pub requires: Vec<RequireRecord>,
    /// What it exports of its own, `module.exports` as a whole under that name.
    pub exports: Vec<ExportRecord>,
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
    pub passed_on: Vec<PassedOnRecord>,
}

impl From<ModuleFacts> for ModuleAnalysis {
    fn from(facts: ModuleFacts) -> Self {
        Self {
            imports: all(facts.imports),
            requires: all(facts.requires),
            exports: all(facts.exports),
            is_strict: facts.is_strict,
            is_module: facts.is_module,
            reassigned: facts.reassigned,
            constants: facts.constants,
            generators: facts.generators,
            classes: facts.classes,
            passed_on: all(facts.passed_on),
        }
    }
}

/// Analyses the text of a function. Throws the parser's first complaint.
#[napi(catch_unwind)]
pub fn analyze_function(text: String) -> Result<FunctionAnalysis> {
    let facts = mobula_analysis::analyze_function(&text).map_err(refused)?;
    Ok(facts.into())
}

/// Analyses the source of a module. `ts`, `jsx`: the languages it may use. Throws the parser's first complaint.
#[napi(catch_unwind)]
pub fn analyze_module(source: String, ts: bool, jsx: bool) -> Result<ModuleAnalysis> {
    let facts = mobula_analysis::analyze_module(&source, ts, jsx).map_err(refused)?;
    Ok(facts.into())
}

/// What loading a module takes.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct LoadingRecord {
    /// Specifiers of the modules that its statements name, those of types left out.
    pub requested: Vec<String>,
    /// Without its types it is JavaScript: nothing in it has to be compiled to something else.
    pub is_erasable: bool,
}

/// Analyses what loading a module takes. `ts`, `jsx`: the languages it may use. Throws the parser's first complaint.
#[napi(catch_unwind)]
pub fn analyze_loading(source: String, ts: bool, jsx: bool) -> Result<LoadingRecord> {
    let Loading {
        requested,
        is_erasable,
    } = mobula_analysis::analyze_loading(&source, ts, jsx).map_err(refused)?;
    Ok(LoadingRecord {
        requested,
        is_erasable,
    })
}

/// Rewrites every use of each of these free names in a function's text, `name` → `name.v`. Throws the parser's first
/// complaint.
#[napi(catch_unwind)]
pub fn box_names(text: String, names: Vec<String>) -> Result<String> {
    mobula_analysis::box_names(&text, &names).map_err(refused)
}

fn all<Fact, Record: From<Fact>>(facts: Vec<Fact>) -> Vec<Record> {
    facts.into_iter().map(Record::from).collect()
}

fn refused(complaint: String) -> Error {
    Error::new(Status::InvalidArg, complaint)
}
