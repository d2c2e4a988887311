//! What a module needs before it runs: other modules, and a language that is no superset of JavaScript.

use oxc_allocator::Allocator;
use oxc_ast::ast::*;
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::SourceType;

use crate::stack::with_room;

/// What loading a module takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loading {
    /// Specifiers of the modules that its statements name, sorted. Those of types are not among them.
    pub requested: Vec<String>,
    /// Without its types it is JavaScript: nothing in it has to be compiled to something else.
    pub is_erasable: bool,
}

/// Analyses the source of a module. `ts`: it may have types; `jsx`: it may have elements, which nothing but a compiler
/// can load. An error is the parser's first complaint.
pub fn analyze_loading(source: &str, ts: bool, jsx: bool) -> Result<Loading, String> {
    with_room(source, || loading(source, ts, jsx))
}

fn loading(source: &str, ts: bool, jsx: bool) -> Result<Loading, String> {
    let allocator = Allocator::default();
    let as_module = SourceType::mjs().with_typescript(ts).with_jsx(jsx);
    let parsed = Parser::new(&allocator, source, as_module).parse();
    if let Some(complaint) = parsed.diagnostics.errors().next() {
        let as_script = SourceType::cjs().with_typescript(ts).with_jsx(jsx);
        let script = Parser::new(&allocator, source, as_script).parse();
        if script.diagnostics.errors().next().is_some() {
            return Err(complaint.to_string());
        }
        return Ok(Loading {
            requested: Vec::new(),
            is_erasable: is_erasable(&script.program),
        });
    }
    let named = parsed.module_record.requested_modules.iter();
    let mut requested: Vec<_> = named
        .filter(|(_, requests)| requests.iter().any(|request| !request.is_type))
        .map(|(specifier, _)| specifier.to_string())
        .collect();
    requested.sort();
    let semantic = SemanticBuilder::new().build(&parsed.program).semantic;
    let imports_types = ts && has_type_as_value(&parsed.program, semantic.scoping());
    Ok(Loading {
        requested,
        is_erasable: !imports_types && is_erasable(&parsed.program),
    })
}

fn is_erasable(program: &Program<'_>) -> bool {
    let mut search = Search { found: false };
    search.visit_program(program);
    !search.found
}

/// An import that does not say `type`, and of which only a type is used, or nothing: compilers leave it out, and who
/// takes types away alone asks for it, in vain if it is one.
fn has_type_as_value(program: &Program<'_>, scoping: &Scoping) -> bool {
    let declarations = program.body.iter().filter_map(|statement| match statement {
        Statement::ImportDeclaration(it) if !it.import_kind.is_type() => it.specifiers.as_ref(),
        _ => None,
    });
    declarations.flatten().any(|specifier| {
        let ImportDeclarationSpecifier::ImportSpecifier(it) = specifier else {
            return false;
        };
        let Some(symbol) = it.local.symbol_id.get() else {
            return false;
        };
        !it.import_kind.is_type()
            && scoping
                .get_resolved_references(symbol)
                .all(|reference| reference.is_type())
            && !is_exported(program, &it.local.name)
    })
}

/// `export { name }` is no use of a name that tells what it is.
fn is_exported(program: &Program<'_>, name: &str) -> bool {
    program.body.iter().any(|statement| {
        matches!(statement, Statement::ExportNamedDeclaration(it) if !it.export_kind.is_type()
            && it.specifiers.iter().any(|specifier| specifier.local.name() == name))
    })
}

/// Looks for what has to be compiled.
struct Search {
    found: bool,
}

impl<'a> Visit<'a> for Search {
    fn visit_ts_enum_declaration(&mut self, it: &TSEnumDeclaration<'a>) {
        self.found |= !it.declare;
    }

    fn visit_ts_namespace_declaration(&mut self, it: &TSNamespaceDeclaration<'a>) {
        self.found |= !it.declare;
    }

    fn visit_formal_parameter(&mut self, it: &FormalParameter<'a>) {
        self.found |= it.accessibility.is_some() || it.readonly || it.r#override;
        walk::walk_formal_parameter(self, it);
    }

    fn visit_decorator(&mut self, _: &Decorator<'a>) {
        self.found = true;
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        self.found |= !it.import_kind.is_type();
    }

    fn visit_ts_export_assignment(&mut self, _: &TSExportAssignment<'a>) {
        self.found = true;
    }

    fn visit_jsx_element(&mut self, _: &JSXElement<'a>) {
        self.found = true;
    }

    fn visit_jsx_fragment(&mut self, _: &JSXFragment<'a>) {
        self.found = true;
    }
}
