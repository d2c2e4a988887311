//! The text of a function, parsed at the kind of place where it may stand.

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    ArrowFunctionExpression, Class, ClassElement, Expression, Function, MethodDefinition,
    MethodDefinitionKind, ObjectProperty, ObjectPropertyKind, Program, PropertyKey, PropertyKind,
    Statement,
};
use oxc_parser::Parser;
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::SourceType;

use crate::function::{Form, Kind};

/// What stands around a text. The line's end in the suffixes ends a comment in the text's last line.
struct Place {
    form: Form,
    prefix: &'static str,
    suffix: &'static str,
}

/// In the order in which they are tried. The first lies in a function so that an arrow may use `new.target`; `super`
/// and private names, which would need a class around them, are no matter of the parser's.
const PLACES: [Place; 3] = [
    Place {
        form: Form::Expression,
        prefix: "(function(){(",
        suffix: "\n)})",
    },
    Place {
        form: Form::Member,
        prefix: "({",
        suffix: "\n})",
    },
    Place {
        form: Form::ClassMember,
        prefix: "(class{",
        suffix: "\n})",
    },
];

/// A parsed text.
pub(crate) struct Text<'a> {
    pub(crate) form: Form,
    /// Bytes that were put in front of the text.
    pub(crate) prefix: u32,
    /// With what was put around it.
    pub(crate) source: &'a str,
    pub(crate) subject: Subject<'a>,
    pub(crate) scoping: Scoping,
}

/// What the text is of.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    Arrow(&'a ArrowFunctionExpression<'a>),
    Function(&'a Function<'a>),
    Class(&'a Class<'a>),
    /// A method, a getter or a setter: a key and a function.
    Member {
        key: &'a PropertyKey<'a>,
        is_computed: bool,
        kind: Kind,
        function: &'a Function<'a>,
    },
}

/// Parses a text. An error is the parser's first complaint, made where the text is an expression of a module.
pub(crate) fn parse<'a>(allocator: &'a Allocator, text: &str) -> Result<Text<'a>, String> {
    let mut complaint = None;
    // Sloppy code is first read as strict code too, since most of it is both; names then mean the same, but for functions
    // in blocks, which `Uses` knows of.
    for source_type in [SourceType::mjs(), SourceType::script()] {
        for place in &PLACES {
            match parse_at(allocator, text, place, source_type) {
                Ok(text) => return Ok(text),
                Err(first) => complaint = complaint.or(Some(first)),
            }
        }
    }
    Err(complaint.unwrap_or_default())
}

fn parse_at<'a>(
    allocator: &'a Allocator,
    text: &str,
    place: &Place,
    source_type: SourceType,
) -> Result<Text<'a>, String> {
    let source = allocator.alloc_concat_strs_array([place.prefix, text, place.suffix]);
    let parsed = Parser::new(allocator, source, source_type).parse();
    if let Some(error) = parsed.diagnostics.errors().next() {
        return Err(error.to_string());
    }
    let program: &'a Program<'a> = allocator.alloc(parsed.program);
    let subject = subject(program, place.form).ok_or("this is not the text of one function")?;
    let semantic = SemanticBuilder::new().build(program).semantic;
    Ok(Text {
        form: place.form,
        prefix: place.prefix.len() as u32,
        source,
        subject,
        scoping: semantic.into_scoping(),
    })
}

/// The function in the middle of what was put around it. None if the text did not stay inside of that.
fn subject<'a>(program: &'a Program<'a>, form: Form) -> Option<Subject<'a>> {
    let around = only_expression(&program.body)?;
    match (form, around) {
        (Form::Expression, Expression::FunctionExpression(around)) => {
            match only_expression(&around.body.as_ref()?.statements)? {
                Expression::ArrowFunctionExpression(arrow) => Some(Subject::Arrow(arrow)),
                Expression::FunctionExpression(function) => Some(Subject::Function(function)),
                Expression::ClassExpression(class) => Some(Subject::Class(class)),
                _ => None,
            }
        }
        (Form::Member, Expression::ObjectExpression(around)) => {
            let [ObjectPropertyKind::ObjectProperty(property)] = around.properties.as_slice()
            else {
                return None;
            };
            property_subject(property)
        }
        (Form::ClassMember, Expression::ClassExpression(around)) => {
            let [ClassElement::MethodDefinition(method)] = around.body.body.as_slice() else {
                return None;
            };
            Some(method_subject(method))
        }
        _ => None,
    }
}

/// The expression in parentheses that is the only one of these statements.
fn only_expression<'a>(statements: &'a [Statement<'a>]) -> Option<&'a Expression<'a>> {
    let [Statement::ExpressionStatement(statement)] = statements else {
        return None;
    };
    let Expression::ParenthesizedExpression(parentheses) = &statement.expression else {
        return None;
    };
    Some(&parentheses.expression)
}

fn property_subject<'a>(property: &'a ObjectProperty<'a>) -> Option<Subject<'a>> {
    let Expression::FunctionExpression(function) = &property.value else {
        return None;
    };
    let kind = match property.kind {
        PropertyKind::Init if property.method => Kind::Method,
        PropertyKind::Init => return None,
        PropertyKind::Get => Kind::Getter,
        PropertyKind::Set => Kind::Setter,
    };
    Some(Subject::Member {
        key: &property.key,
        is_computed: property.computed,
        kind,
        function,
    })
}

fn method_subject<'a>(method: &'a MethodDefinition<'a>) -> Subject<'a> {
    let kind = match method.kind {
        MethodDefinitionKind::Constructor | MethodDefinitionKind::Method => Kind::Method,
        MethodDefinitionKind::Get => Kind::Getter,
        MethodDefinitionKind::Set => Kind::Setter,
    };
    Subject::Member {
        key: &method.key,
        is_computed: method.computed,
        kind,
        function: &method.value,
    }
}
