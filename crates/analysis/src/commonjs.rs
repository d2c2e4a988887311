//! What goes in through `require` and out through `exports`, in the shapes that people and compilers write.

use oxc_ast::ast::*;

use crate::{Export, Require};

/// A value that comes from `require`.
struct Required {
    specifier: String,
    path: Vec<String>,
    is_wrapped: bool,
}

/// A declaration, if its value comes from `require`.
pub(crate) fn require(
    declared: &BindingPattern<'_>,
    value: &Expression<'_>,
    requires: &mut Vec<Require>,
) {
    if let Some(required) = required(value) {
        bind(declared, &required, required.path.clone(), requires);
    }
}

/// `require('s')`, members of it, and calls that get it first.
fn required(value: &Expression<'_>) -> Option<Required> {
    match value.get_inner_expression() {
        Expression::ChainExpression(it) => match &it.expression {
            ChainElement::CallExpression(call) => required_call(call),
            element => required_member(element.as_member_expression()?),
        },
        Expression::CallExpression(call) => required_call(call),
        value => required_member(value.as_member_expression()?),
    }
}

fn required_call(call: &CallExpression<'_>) -> Option<Required> {
    let first = call.arguments.first()?.as_expression()?;
    if call.callee.get_inner_expression().is_specific_id("require") {
        return Some(Required {
            specifier: text(first)?,
            path: Vec::new(),
            is_wrapped: false,
        });
    }
    let inner = required(first)?;
    Some(Required {
        is_wrapped: true,
        ..inner
    })
}

fn required_member(member: &MemberExpression<'_>) -> Option<Required> {
    let name = member.static_property_name()?.to_owned();
    let mut required = required(member.object())?;
    required.path.push(name);
    Some(required)
}

/// A string that is written out.
fn text(value: &Expression<'_>) -> Option<String> {
    match value.get_inner_expression() {
        Expression::StringLiteral(it) => Some(it.value.to_string()),
        Expression::TemplateLiteral(it) => it.single_quasi().map(|it| it.to_string()),
        _ => None,
    }
}

/// Names of a pattern, with the path to each. What a default may take the place of is among them.
fn bind(
    declared: &BindingPattern<'_>,
    from: &Required,
    path: Vec<String>,
    requires: &mut Vec<Require>,
) {
    match declared {
        BindingPattern::BindingIdentifier(id) => requires.push(Require {
            local: id.name.to_string(),
            specifier: from.specifier.clone(),
            path,
            is_wrapped: from.is_wrapped,
        }),
        BindingPattern::AssignmentPattern(it) => bind(&it.left, from, path, requires),
        BindingPattern::ObjectPattern(it) => {
            for property in &it.properties {
                let name = property.key.static_name().filter(|_| !property.computed);
                if let Some(name) = name {
                    let mut path = path.clone();
                    path.push(name.into_owned());
                    bind(&property.value, from, path, requires);
                }
            }
        }
        BindingPattern::ArrayPattern(_) => {}
    }
}

/// `exports.x = …`, `module.exports.x = …`, `module.exports = …`, also several in one.
pub(crate) fn export_assigned(assignment: &AssignmentExpression<'_>, exports: &mut Vec<Export>) {
    if !assignment.operator.is_assign() {
        return;
    }
    let mut right = assignment.right.get_inner_expression();
    if let Expression::AssignmentExpression(inner) = right {
        export_assigned(inner, exports);
    }
    while let Expression::AssignmentExpression(inner) = right {
        right = inner.right.get_inner_expression();
    }
    let Some(member) = assignment.left.as_member_expression() else {
        return;
    };
    if is_module_exports(member) {
        export_whole(right, exports);
    } else if is_exports(member.object())
        && let Some(name) = member.static_property_name()
    {
        export_value(name, right, exports);
    }
}

/// `module.exports = …`, `export = …`
pub(crate) fn export_whole(value: &Expression<'_>, exports: &mut Vec<Export>) {
    match value.get_inner_expression() {
        Expression::Identifier(it) => push(exports, "module.exports", &it.name),
        Expression::ObjectExpression(it) => {
            for property in it
                .properties
                .iter()
                .filter_map(ObjectPropertyKind::as_property)
            {
                let name = property.key.static_name().filter(|_| !property.computed);
                if let Some(name) = name {
                    export_value(&name, &property.value, exports);
                }
            }
        }
        Expression::FunctionExpression(it) => {
            if let Some(id) = &it.id {
                push(exports, "module.exports", &id.name);
            }
        }
        Expression::ClassExpression(it) => {
            if let Some(id) = &it.id {
                push(exports, "module.exports", &id.name);
            }
        }
        _ => {}
    }
}

/// `Object.defineProperty(exports, 'x', { get: … })`, as compilers write it, and `__export(…, { x: () => x })`.
pub(crate) fn export_defined(call: &CallExpression<'_>, exports: &mut Vec<Export>) {
    match call.arguments.as_slice() {
        [target, name, Argument::ObjectExpression(descriptor)]
            if call
                .callee
                .is_specific_member_access("Object", "defineProperty") =>
        {
            let (Some(target), Some(name)) = (target.as_expression(), name.as_expression()) else {
                return;
            };
            if is_exports(target)
                && let Some(name) = text(name)
            {
                for property in descriptor
                    .properties
                    .iter()
                    .filter_map(ObjectPropertyKind::as_property)
                {
                    if property.key.is_specific_static_name("get")
                        && let Some(local) = returned_name(&property.value)
                    {
                        push(exports, &name, local);
                    }
                }
            }
        }
        [_, Argument::ObjectExpression(getters)] if matches!(&call.callee, Expression::Identifier(it) if it.name.starts_with("__export")) => {
            for property in getters
                .properties
                .iter()
                .filter_map(ObjectPropertyKind::as_property)
            {
                if let Some(name) = property.key.static_name()
                    && let Some(local) = returned_name(&property.value)
                {
                    push(exports, &name, local);
                }
            }
        }
        _ => {}
    }
}

/// The name that such a getter returns.
fn returned_name<'a>(getter: &'a Expression<'_>) -> Option<&'a str> {
    let body = match getter.get_inner_expression() {
        Expression::FunctionExpression(it) => it.body.as_deref()?,
        Expression::ArrowFunctionExpression(it) => match it.get_expression() {
            Some(value) => return value_name(value),
            None => it.get_function_body()?,
        },
        _ => return None,
    };
    match body.statements.as_slice() {
        [Statement::ReturnStatement(it)] => value_name(it.argument.as_ref()?),
        _ => None,
    }
}

fn value_name<'a>(value: &'a Expression<'_>) -> Option<&'a str> {
    match value.get_inner_expression() {
        Expression::Identifier(it) => Some(it.name.as_str()),
        _ => None,
    }
}

fn export_value(name: &str, value: &Expression<'_>, exports: &mut Vec<Export>) {
    // Compilers announce exports so, before they have a value.
    if value.is_void() || value.is_undefined() {
        return;
    }
    push(exports, name, value_name(value).unwrap_or(name));
}

fn push(exports: &mut Vec<Export>, exported: &str, local: &str) {
    exports.push(Export {
        exported: exported.to_owned(),
        local: local.to_owned(),
    });
}

fn is_module_exports(member: &MemberExpression<'_>) -> bool {
    member.is_specific_member_access("module", "exports")
}

/// `exports`, or `module.exports`.
fn is_exports(value: &Expression<'_>) -> bool {
    let value = value.get_inner_expression();
    value.is_specific_id("exports") || value.as_member_expression().is_some_and(is_module_exports)
}
