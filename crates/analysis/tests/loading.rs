//! What loading a module takes.

#![allow(clippy::unwrap_used, reason = "tests")]

use mobula_analysis::analyze_loading;

fn erasable(source: &str) -> bool {
    analyze_loading(source, true, false).unwrap().is_erasable
}

#[test]
fn what_statements_name_is_requested_without_types() {
    let source = "import a from './a'; import './b'; export { c } from './c'; export * from './d';
        import type { E } from './e'; import { type F } from './f'; import('./g')";
    let requested = analyze_loading(source, true, false).unwrap().requested;
    assert_eq!(requested, ["./a", "./b", "./c", "./d", "./f"]);
}

#[test]
fn types_alone_are_erased() {
    assert!(erasable(
        "interface A { x: number } type B = A; const b = { x: 1 } as B; export const f = <T,>(x: T): T => x!; \
         declare enum C { D } declare namespace E { const f: number } class G { private h = 1 }"
    ));
}

#[test]
fn what_makes_code_is_compiled() {
    for source in [
        "enum A { B }",
        "const enum A { B }",
        "namespace A { export const b = 1 }",
        "class A { constructor(private b: number) {} }",
        "@a class B {}",
        "class B { @a c() {} }",
        "import a = require('a')",
        "export = 1",
    ] {
        assert!(!erasable(source), "{source}");
    }
}

#[test]
fn an_import_that_may_be_a_type_is_left_out_by_compilers_alone() {
    assert!(!erasable(
        "import { A } from './a'; export const f = (a: A) => a"
    ));
    assert!(!erasable("import { A } from './a'"));
    assert!(erasable(
        "import { A } from './a'; export const f = (a: A) => new A()"
    ));
    assert!(erasable("import { A } from './a'; export { A }"));
    assert!(erasable(
        "import type { A } from './a'; export const f = (a: A) => a"
    ));
}

#[test]
fn elements_are_compiled() {
    let loading = analyze_loading("export const a = <p>text</p>", false, true).unwrap();
    assert!(!loading.is_erasable);
}

#[test]
fn scripts_request_nothing() {
    let loading = analyze_loading("with (a) { b = require('c') }", false, false).unwrap();
    assert!(loading.requested.is_empty() && loading.is_erasable);
}
