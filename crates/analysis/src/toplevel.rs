//! Goes through the statements of a module's top level.

use oxc_ast::ast::*;
use oxc_semantic::{ScopeId, Scoping};

use crate::commonjs;
use crate::{Export, Import, PassedOn, Require};

/// What the top level does, and the scopes that belong to it.
pub(crate) struct TopLevel {
    pub(crate) imports: Vec<Import>,
    pub(crate) requires: Vec<Require>,
    pub(crate) exports: Vec<Export>,
    pub(crate) generators: Vec<String>,
    pub(crate) classes: Vec<String>,
    pub(crate) passed_on: Vec<PassedOn>,
    scopes: Vec<ScopeId>,
}

impl TopLevel {
    pub(crate) fn of(program: &Program<'_>, scoping: &Scoping) -> Self {
        let mut top = Self {
            imports: Vec::new(),
            requires: Vec::new(),
            exports: Vec::new(),
            generators: Vec::new(),
            classes: Vec::new(),
            passed_on: Vec::new(),
            scopes: vec![scoping.root_scope_id()],
        };
        top.statements(&program.body);
        top
    }

    /// Names that are assigned to after their declaration, in the order of those.
    pub(crate) fn reassigned(&self, scoping: &Scoping) -> Vec<String> {
        let mut symbols: Vec<_> = self
            .scopes
            .iter()
            .flat_map(|scope| scoping.iter_bindings_in(*scope))
            .filter(|&symbol| {
                let is_redeclared = scoping
                    .symbol_flags(symbol)
                    .is_function_scoped_declaration()
                    && !scoping.symbol_redeclarations(symbol).is_empty();
                is_redeclared || scoping.symbol_is_mutated(symbol)
            })
            .collect();
        symbols.sort_by_key(|symbol| scoping.symbol_span(*symbol).start);
        let name = |symbol| scoping.symbol_name(symbol).to_owned();
        symbols.into_iter().map(name).collect()
    }

    fn statements(&mut self, statements: &[Statement<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement<'_>) {
        match statement {
            Statement::ImportDeclaration(it) => self.import(it),
            Statement::TSImportEqualsDeclaration(it) => self.import_equals(it),
            Statement::VariableDeclaration(it) => self.variables(it),
            Statement::FunctionDeclaration(it) => self.function(it),
            Statement::ClassDeclaration(it) => self.class(it),
            Statement::ExportFromDeclaration(it) => self.pass_on(it),
            Statement::ExportAllDeclaration(it) => self.pass_on_all(it),
            Statement::ExportDeclaration(it) => self.export_declaration(&it.declaration),
            Statement::ExportNamedDeclaration(it) => self.export_names(it),
            Statement::ExportDefaultDeclaration(it) => self.export_default(&it.declaration),
            Statement::TSExportAssignment(it) => {
                commonjs::export_whole(&it.expression, &mut self.exports);
            }
            Statement::ExpressionStatement(it) => self.expression(&it.expression),
            _ => {}
        }
    }

    fn import(&mut self, it: &ImportDeclaration<'_>) {
        let clause = it
            .with_clause
            .iter()
            .flat_map(|clause| &clause.with_entries);
        let attributes: Vec<_> = clause
            .map(|entry| {
                (
                    entry.key.as_arena_str().to_string(),
                    entry.value.value.to_string(),
                )
            })
            .collect();
        for specifier in it.specifiers.iter().flatten() {
            let (imported, is_type) = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(it) => {
                    (it.imported.name().to_string(), it.import_kind.is_type())
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => {
                    ("default".to_owned(), false)
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => ("*".to_owned(), false),
            };
            self.imports.push(Import {
                local: specifier.local().name.to_string(),
                specifier: it.source.value.to_string(),
                imported,
                attributes: attributes.clone(),
                is_type: is_type || it.import_kind.is_type(),
            });
        }
    }

    fn import_equals(&mut self, it: &TSImportEqualsDeclaration<'_>) {
        let TSModuleReference::ExternalModuleReference(module) = &it.module_reference else {
            return;
        };
        if !it.import_kind.is_type() {
            self.requires.push(Require {
                local: it.id.name.to_string(),
                specifier: module.expression.value.to_string(),
                path: Vec::new(),
                is_wrapped: false,
            });
        }
    }

    fn variables(&mut self, it: &VariableDeclaration<'_>) {
        for declarator in &it.declarations {
            if let Some(init) = &declarator.init {
                commonjs::require(&declarator.id, init, &mut self.requires);
                let Some(id) = declarator.id.get_binding_identifier() else {
                    continue;
                };
                match init.get_inner_expression() {
                    Expression::FunctionExpression(it) if it.generator => {
                        self.generators.push(id.name.to_string());
                    }
                    Expression::ClassExpression(_) => self.classes.push(id.name.to_string()),
                    _ => {}
                }
            }
        }
    }

    fn class(&mut self, it: &Class<'_>) {
        if !it.declare {
            let name = it.id.as_ref().map_or("default", |id| id.name.as_str());
            self.classes.push(name.to_owned());
        }
    }

    fn pass_on(&mut self, it: &ExportFromDeclaration<'_>) {
        let is_type = it.export_kind.is_type();
        for specifier in it.specifiers.iter().filter(|_| !is_type) {
            if !specifier.export_kind.is_type() {
                self.passed_on.push(PassedOn {
                    exported: specifier.exported.name().to_string(),
                    imported: specifier.local.name().to_string(),
                    specifier: it.source.value.to_string(),
                });
            }
        }
    }

    fn pass_on_all(&mut self, it: &ExportAllDeclaration<'_>) {
        // A namespace by a name is no class.
        if it.exported.is_none() && !it.export_kind.is_type() {
            self.passed_on.push(PassedOn {
                exported: "*".to_owned(),
                imported: "*".to_owned(),
                specifier: it.source.value.to_string(),
            });
        }
    }

    fn function(&mut self, it: &Function<'_>) {
        if it.generator {
            let name = it.id.as_ref().map_or("default", |id| id.name.as_str());
            self.generators.push(name.to_owned());
        }
    }

    fn export(&mut self, exported: &str, local: &str) {
        self.exports.push(Export {
            exported: exported.to_owned(),
            local: local.to_owned(),
        });
    }

    fn export_declaration(&mut self, declaration: &Declaration<'_>) {
        if declaration.declare() || declaration.is_type() {
            return;
        }
        match declaration {
            Declaration::VariableDeclaration(it) => {
                self.variables(it);
                for declarator in &it.declarations {
                    for id in declarator.id.get_binding_identifiers() {
                        self.export(&id.name, &id.name);
                    }
                }
            }
            Declaration::TSImportEqualsDeclaration(it) => {
                self.import_equals(it);
                self.export(&it.id.name, &it.id.name);
            }
            declaration => {
                match declaration {
                    Declaration::FunctionDeclaration(it) => self.function(it),
                    Declaration::ClassDeclaration(it) => self.class(it),
                    _ => {}
                }
                if let Some(id) = declaration.id() {
                    self.export(&id.name, &id.name);
                }
            }
        }
    }

    fn export_names(&mut self, it: &ExportNamedDeclaration<'_>) {
        if it.export_kind.is_type() {
            return;
        }
        for specifier in it.specifiers.iter().filter(|it| !it.export_kind.is_type()) {
            self.export(&specifier.exported.name(), &specifier.local.name());
        }
    }

    fn export_default(&mut self, declaration: &ExportDefaultDeclarationKind<'_>) {
        let local = match declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(it) => {
                self.function(it);
                it.id.as_ref().map(|id| id.name)
            }
            ExportDefaultDeclarationKind::ClassDeclaration(it) => {
                self.class(it);
                it.id.as_ref().map(|id| id.name)
            }
            declaration => match declaration
                .as_expression()
                .map(Expression::get_inner_expression)
            {
                Some(Expression::Identifier(it)) => Some(it.name),
                _ => None,
            },
        };
        if let Some(local) = local {
            self.export("default", &local);
        }
    }

    fn expression(&mut self, expression: &Expression<'_>) {
        match expression.get_inner_expression() {
            Expression::AssignmentExpression(it) => {
                commonjs::export_assigned(it, &mut self.exports);
            }
            Expression::CallExpression(it) => self.call(it),
            Expression::AwaitExpression(it) => self.expression(&it.argument),
            // `!function () {}()`, `void async function () {}()`
            Expression::UnaryExpression(it) => self.expression(&it.argument),
            Expression::SequenceExpression(it) => {
                it.expressions.iter().for_each(|it| self.expression(it));
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &CallExpression<'_>) {
        let callee = match call.callee.get_inner_expression() {
            // `(function () {}).call(this)`
            Expression::StaticMemberExpression(it)
                if matches!(it.property.name.as_str(), "call" | "apply") =>
            {
                it.object.get_inner_expression()
            }
            callee => callee,
        };
        let (scope, body) = match callee {
            Expression::FunctionExpression(it) => (&it.scope_id, it.body.as_deref()),
            Expression::ArrowFunctionExpression(it) => (&it.scope_id, it.get_function_body()),
            _ => return commonjs::export_defined(call, &mut self.exports),
        };
        self.scopes.extend(scope.get());
        if let Some(body) = body {
            self.statements(&body.statements);
        }
    }
}
