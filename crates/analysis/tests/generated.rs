//! Functions made from a small grammar, whose free names are known as they are made; and text that is no function.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use mobula_analysis::{analyze_function, analyze_module, box_names};
use proptest::prelude::*;

const NAMES: [&str; 6] = ["a", "b", "c", "größe", "x1", "$"];

fn name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&NAMES[..])
}

/// A piece of text, and how it is made.
#[derive(Debug, Clone)]
enum Node {
    Name(&'static str),
    Call(&'static str, Vec<Node>),
    Arrow(Vec<&'static str>, Box<Node>),
    Defaulted(&'static str, Box<Node>, Box<Node>),
    Block(Vec<Statement>),
    Method(&'static str, Box<Node>),
    Class(&'static str, Box<Node>, Box<Node>),
    Pattern(&'static str, Box<Node>),
}

#[derive(Debug, Clone)]
enum Statement {
    Let(&'static str, Node),
    Var(&'static str, Node),
    Function(&'static str, Node),
    Nested(Vec<Statement>),
    For(&'static str, Node, Node),
    Catch(&'static str, Node),
    Value(Node),
}

fn node() -> impl Strategy<Value = Node> {
    name()
        .prop_map(Node::Name)
        .prop_recursive(4, 40, 4, |inner| {
            let boxed = inner.clone().prop_map(Box::new);
            prop_oneof![
                (name(), prop::collection::vec(inner.clone(), 0..3))
                    .prop_map(|(it, args)| Node::Call(it, args)),
                (prop::collection::vec(name(), 0..3), boxed.clone())
                    .prop_map(|(names, body)| Node::Arrow(names, body)),
                (name(), boxed.clone(), boxed.clone())
                    .prop_map(|(it, value, body)| Node::Defaulted(it, value, body)),
                prop::collection::vec(statement(inner.clone()), 0..4).prop_map(Node::Block),
                (name(), boxed.clone()).prop_map(|(it, body)| Node::Method(it, body)),
                (name(), boxed.clone(), boxed.clone())
                    .prop_map(|(it, heritage, body)| Node::Class(it, heritage, body)),
                (name(), boxed).prop_map(|(it, value)| Node::Pattern(it, value)),
            ]
        })
}

fn statement(
    node: impl Strategy<Value = Node> + Clone + 'static,
) -> impl Strategy<Value = Statement> {
    let leaf = prop_oneof![
        (name(), node.clone()).prop_map(|(it, value)| Statement::Let(it, value)),
        (name(), node.clone()).prop_map(|(it, value)| Statement::Var(it, value)),
        (name(), node.clone()).prop_map(|(it, value)| Statement::Function(it, value)),
        (name(), node.clone(), node.clone())
            .prop_map(|(it, of, body)| Statement::For(it, of, body)),
        (name(), node.clone()).prop_map(|(it, body)| Statement::Catch(it, body)),
        node.prop_map(Statement::Value),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop::collection::vec(inner, 0..3).prop_map(Statement::Nested)
    })
}

type Names = BTreeSet<&'static str>;

/// Writes text, and counts what is open in it.
#[derive(Default)]
struct Writer {
    text: String,
    free: Names,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn name(&mut self, name: &'static str, bound: &Names) {
        self.put(name);
        if !bound.contains(name) {
            self.free.insert(name);
        }
    }

    fn node(&mut self, node: &Node, bound: &Names) {
        match node {
            Node::Name(it) => self.name(it, bound),
            Node::Call(it, arguments) => {
                self.name(it, bound);
                self.put("(");
                for argument in arguments {
                    self.node(argument, bound);
                    self.put(", ");
                }
                self.put(")");
            }
            Node::Arrow(names, body) => {
                let names: Names = names.iter().copied().collect();
                let list: Vec<_> = names.iter().copied().collect();
                self.put(&format!("(({}) => ", list.join(", ")));
                self.node(body, &(bound | &names));
                self.put(")");
            }
            Node::Defaulted(it, value, body) => {
                // Its own parameter is seen by a default; what the body declares is not.
                self.put(&format!("(function ({it} = "));
                let bound = bound | &Names::from([*it]);
                self.node(value, &bound);
                self.put(") { var c = ");
                self.node(body, &(&bound | &Names::from(["c"])));
                self.put(" })");
            }
            Node::Block(statements) => {
                self.put("(() => {");
                let hoisted = vars(statements);
                self.statements(statements, &(bound | &hoisted));
                self.put("})");
            }
            Node::Method(it, body) => {
                self.put(&format!("({{ {it}() {{ return "));
                self.node(body, bound);
                self.put(" } })");
            }
            Node::Class(it, heritage, body) => {
                self.put(&format!("(class {it} extends ("));
                let bound = bound | &Names::from([*it]);
                self.node(heritage, &bound);
                self.put(") { #p = ");
                self.node(body, &bound);
                self.put("; m() { return this.#p } })");
            }
            Node::Pattern(it, value) => {
                self.put("({ ");
                self.name(it, bound);
                self.put(" = ");
                self.node(value, bound);
                self.put(" } = {})");
            }
        }
    }

    fn statements(&mut self, statements: &[Statement], bound: &Names) {
        let bound = &(bound | &lexical(statements));
        for statement in statements {
            match statement {
                Statement::Let(it, value) => {
                    self.put(&format!(" let {it} = "));
                    self.node(value, bound);
                    self.put(";");
                }
                Statement::Var(it, value) => {
                    self.put(&format!(" var {it} = "));
                    self.node(value, bound);
                    self.put(";");
                }
                Statement::Function(it, value) => {
                    self.put(&format!(" async function {it}() {{ return "));
                    self.node(value, bound);
                    self.put(" }");
                }
                Statement::Nested(inner) => {
                    self.put(" {");
                    self.statements(inner, bound);
                    self.put(" }");
                }
                Statement::For(it, of, body) => {
                    self.put(&format!(" for (const {it} of ["));
                    let inner = bound | &Names::from([*it]);
                    self.node(of, &inner);
                    self.put("]) ");
                    self.node(body, &inner);
                    self.put(";");
                }
                Statement::Catch(it, body) => {
                    self.put(&format!(" try {{}} catch ({it}) {{ "));
                    self.node(body, &(bound | &Names::from([*it])));
                    self.put(" }");
                }
                Statement::Value(value) => {
                    self.put(" ");
                    self.node(value, bound);
                    self.put(";");
                }
            }
        }
    }
}

/// What a list declares for itself.
fn lexical(statements: &[Statement]) -> Names {
    let name = |it: &Statement| match it {
        Statement::Let(it, _) | Statement::Function(it, _) => Some(*it),
        _ => None,
    };
    statements.iter().filter_map(name).collect()
}

/// What a list declares for the function around it.
fn vars(statements: &[Statement]) -> Names {
    let mut names = Names::new();
    for statement in statements {
        match statement {
            Statement::Var(it, _) => {
                names.insert(it);
            }
            Statement::Nested(inner) => names.extend(vars(inner)),
            _ => {}
        }
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn generated_functions_leave_open_what_they_were_made_to(node in node()) {
        let mut writer = Writer::default();
        writer.put("() => ");
        writer.node(&node, &Names::new());
        let text = writer.text;
        match analyze_function(&text) {
            Ok(facts) => {
                let found: Names = facts.free.iter().map(|it| NAMES.into_iter().find(|name| *name == it.name).unwrap()).collect();
                prop_assert_eq!(&found, &writer.free, "{}", text);
                let names: Vec<_> = NAMES.map(str::to_owned).into();
                let boxed = box_names(&text, &names).unwrap();
                let again = analyze_function(&boxed).unwrap();
                let again: Names = again.free.iter().map(|it| NAMES.into_iter().find(|name| *name == it.name).unwrap()).collect();
                prop_assert_eq!(again, found, "{}", boxed);
            }
            Err(complaint) => prop_assert!(false, "{}: {}", complaint, text),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = analyze_function(&text);
        let _ = analyze_module(&text, true, true);
        let _ = box_names(&text, &["a".to_owned()]);
    }

    #[test]
    fn no_pieces_of_programs_make_it_panic(pieces in prop::collection::vec(proptest::sample::select(&PIECES[..]), 0..30)) {
        let text = pieces.concat();
        let _ = analyze_function(&text);
        let _ = analyze_module(&text, false, false);
        let _ = box_names(&text, &["a".to_owned()]);
    }
}

const PIECES: [&str; 52] = [
    "a",
    "b",
    " ",
    "\n",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "=>",
    "=",
    ",",
    ";",
    ":",
    ".",
    "?.",
    "...",
    "`",
    "${",
    "'",
    "/",
    "*",
    "#a",
    "class ",
    "extends ",
    "static ",
    "function ",
    "async ",
    "await ",
    "yield ",
    "get ",
    "let ",
    "var ",
    "for ",
    "of ",
    "in ",
    "if ",
    "else ",
    "try ",
    "catch ",
    "return ",
    "new ",
    "super",
    "this",
    "arguments",
    "import",
    "export ",
    "default ",
    "typeof ",
    "😀",
    "\\",
];

#[test]
fn no_beginning_of_a_program_makes_it_panic() {
    let programs = [
        "class A extends B { static #é = `${this.#é}`; static { for await (const { a = b, ...c } of d) e?.[f](g) } get [h]() { return super.x ??= 1_0n ** 2 } }",
        "import a, { b as c } from '😀' with { type: 'json' }; export default async function* f({ d = import.meta.url }) { /re[/]g/u.test(d) ? yield* d : await import('x') }",
        "const { a: { b } } = helper(require('s'), 1).default; module.exports = { a, b() {} }; (() => { exports.c = void 0 })()",
        "async (x, [y = z], ...w) => { label: switch (x) { case `é${y}`: continue label; default: throw new.target } }",
    ];
    for program in programs {
        for (end, _) in program.char_indices() {
            let text = &program[..end];
            let _ = analyze_function(text);
            let _ = analyze_module(text, true, false);
            let _ = box_names(text, &["a".to_owned(), "é".to_owned()]);
        }
    }
}
