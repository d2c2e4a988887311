//! What a function's text says about the function.

use oxc_allocator::Allocator;
use oxc_ast::ast::{Class, ClassElement};
use oxc_span::GetSpan;

use crate::class::{class_facts, key_name};
use crate::free_name::free_names;
use crate::offsets::Offsets;
use crate::stack::with_room;
use crate::text::{Subject, Text, parse};
use crate::uses::Uses;
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
    /// Where V8 says that it begins: at the `(` of its parameters; an arrow at its first character; a class at the `(` of
    /// its constructor, or at `class` without one.
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
pub fn analyze_function(text: &str) -> Result<FunctionFacts, String> {
    with_room(text, || {
        let allocator = Allocator::default();
        let parsed = parse(&allocator, text)?;
        Ok(facts(&parsed, &Offsets::new(text, parsed.prefix)))
    })
}

fn facts(text: &Text<'_>, offsets: &Offsets) -> FunctionFacts {
    let uses = Uses::of(text.subject, &text.scoping);
    let at = |position: Option<u32>| position.map(|it| offsets.at(it));
    let own = own(text, offsets);
    let class = match text.subject {
        Subject::Class(class) => Some(class_facts(class, &uses, text.source, offsets)),
        _ => None,
    };
    let private = uses.private_outside.iter().map(|name| format!("#{name}"));
    FunctionFacts {
        form: text.form,
        kind: own.kind,
        is_async: own.is_async,
        is_generator: own.is_generator,
        is_strict: own.is_strict,
        name: own.name,
        key: own.key,
        has_computed_key: own.has_computed_key,
        params_at: offsets.at(own.params_at),
        outer_this: at(uses.this),
        outer_arguments: at(uses.arguments),
        outer_super: at(uses.super_),
        outer_new_target: at(uses.new_target),
        direct_eval: at(uses.direct_eval),
        uses_with: uses.uses_with,
        import_meta: uses
            .import_meta
            .iter()
            .map(|it| offsets.range(*it))
            .collect(),
        has_dynamic_import: uses.has_dynamic_import,
        private_names_outside: private.collect(),
        free: free_names(uses.names, &uses.block_functions, offsets),
        class,
    }
}

/// What the head of a function says.
struct Own {
    kind: Kind,
    is_async: bool,
    is_generator: bool,
    is_strict: bool,
    name: Option<String>,
    key: Option<Range>,
    has_computed_key: bool,
    /// In oxc's positions.
    params_at: u32,
}

fn own(text: &Text<'_>, offsets: &Offsets) -> Own {
    match text.subject {
        Subject::Arrow(arrow) => Own {
            kind: Kind::Arrow,
            is_async: arrow.r#async,
            is_generator: false,
            is_strict: arrow.has_use_strict_directive(),
            name: None,
            key: None,
            has_computed_key: false,
            // At `async`, if it is.
            params_at: arrow.span.start,
        },
        Subject::Function(function) => Own {
            kind: Kind::Function,
            is_async: function.r#async,
            is_generator: function.generator,
            is_strict: function.has_use_strict_directive(),
            name: function.id.as_ref().map(|id| id.name.to_string()),
            key: None,
            has_computed_key: false,
            params_at: function.params.span.start,
        },
        Subject::Class(class) => Own {
            kind: Kind::Class,
            is_async: false,
            is_generator: false,
            is_strict: true,
            name: class.id.as_ref().map(|id| id.name.to_string()),
            key: None,
            has_computed_key: false,
            params_at: constructor_at(class).unwrap_or(class.span.start),
        },
        Subject::Member {
            key,
            is_computed,
            kind,
            function,
        } => Own {
            kind,
            is_async: function.r#async,
            is_generator: function.generator,
            is_strict: function.has_use_strict_directive(),
            name: (!is_computed).then(|| key_name(key)).flatten(),
            key: Some(offsets.range(key.span())),
            has_computed_key: is_computed,
            params_at: function.params.span.start,
        },
    }
}

fn constructor_at(class: &Class<'_>) -> Option<u32> {
    let constructor = |element: &ClassElement<'_>| match element {
        ClassElement::MethodDefinition(it) if it.kind.is_constructor() => {
            Some(it.value.params.span.start)
        }
        _ => None,
    };
    class.body.body.iter().find_map(constructor)
}
