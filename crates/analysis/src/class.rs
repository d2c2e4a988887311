//! What there is to know of a function that is a class.

use oxc_ast::ast::{Class, ClassElement, MethodDefinitionKind, PropertyKey};
use oxc_span::{GetSpan, Span};

use crate::Range;
use crate::offsets::Offsets;
use crate::uses::Uses;

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

/// `source`: what was parsed, with the class in it.
pub(crate) fn class_facts(
    class: &Class<'_>,
    uses: &Uses<'_, '_>,
    source: &str,
    offsets: &Offsets,
) -> ClassFacts {
    let mut facts = ClassFacts {
        name: class.id.as_ref().map(|id| id.name.to_string()),
        heritage: class
            .heritage_expression()
            .map(|it| offsets.range(it.span())),
        computed_keys: computed_keys(uses, offsets),
        statics: Vec::new(),
        body_end: offsets.at(class.body.span.end.saturating_sub(1)),
        has_private_static_field: false,
        static_blocks_use_private: uses.static_blocks_use_private,
        member_names: Vec::new(),
        private_instance: false,
    };
    for element in &class.body.body {
        let key = element.property_key();
        let is_private = key.is_some_and(PropertyKey::is_private_identifier);
        let kind = match element {
            ClassElement::StaticBlock(_) => StaticKind::Block,
            ClassElement::PropertyDefinition(it) if it.r#static => StaticKind::Field,
            ClassElement::AccessorProperty(it) if it.r#static => StaticKind::Accessor,
            element => {
                if !element.r#static() {
                    facts.private_instance |= is_private;
                    note_member(&mut facts.member_names, element);
                }
                continue;
            }
        };
        facts.has_private_static_field |= is_private && kind == StaticKind::Field;
        facts.statics.push(StaticMember {
            range: offsets.range(with_semicolon(element.span(), source)),
            kind,
            name: key.filter(|_| !element.computed()).and_then(key_name),
            is_private,
        });
    }
    facts
}

/// The name that a key has if it is not computed.
pub(crate) fn key_name(key: &PropertyKey<'_>) -> Option<String> {
    match key.private_name() {
        Some(name) => Some(format!("#{name}")),
        None => key.static_name().map(|name| name.into_owned()),
    }
}

fn computed_keys(uses: &Uses<'_, '_>, offsets: &Offsets) -> Vec<ComputedKey> {
    let key = |(span, range): &(Span, std::ops::Range<usize>)| {
        let mut free: Vec<String> = Vec::new();
        for it in uses.aside.get(range.clone()).unwrap_or_default() {
            if !free.iter().any(|known| known == it.name.as_str()) {
                free.push(it.name.to_string());
            }
        }
        ComputedKey {
            range: offsets.range(*span),
            free,
        }
    };
    uses.keys.iter().map(key).collect()
}

/// A method, a getter or a setter of the prototype.
fn note_member(names: &mut Vec<String>, element: &ClassElement<'_>) {
    let ClassElement::MethodDefinition(method) = element else {
        return;
    };
    if method.kind == MethodDefinitionKind::Constructor
        || method.computed
        || method.key.is_private_identifier()
    {
        return;
    }
    match key_name(&method.key) {
        Some(name) if !names.contains(&name) => names.push(name),
        _ => {}
    }
}

/// A field ends before its `;` where something lies between.
fn with_semicolon(span: Span, source: &str) -> Span {
    match source.as_bytes().get(span.end as usize) {
        Some(b';') => Span::new(span.start, span.end + 1),
        _ => span,
    }
}
