//! Where a module's names come from, and where they go.

#![allow(clippy::unwrap_used, reason = "tests")]

use mobula_analysis::{ModuleFacts, analyze_module};

fn facts(source: &str) -> ModuleFacts {
    analyze_module(source, false, false).unwrap_or_else(|complaint| panic!("{source}: {complaint}"))
}

fn ts(source: &str) -> ModuleFacts {
    analyze_module(source, true, false).unwrap_or_else(|complaint| panic!("{source}: {complaint}"))
}

fn imports(facts: ModuleFacts) -> String {
    let line = |it: mobula_analysis::Import| {
        let kind = if it.is_type { "type " } else { "" };
        let with: Vec<_> = it
            .attributes
            .iter()
            .map(|(key, value)| format!(" {key}={value}"))
            .collect();
        format!(
            "{kind}{} {} {}{}",
            it.local,
            it.specifier,
            it.imported,
            with.concat()
        )
    };
    facts
        .imports
        .into_iter()
        .map(line)
        .collect::<Vec<_>>()
        .join(", ")
}

fn requires(source: &str) -> String {
    let line = |it: mobula_analysis::Require| {
        let wrapped = if it.is_wrapped { " wrapped" } else { "" };
        format!(
            "{} {}{wrapped}",
            it.local,
            [vec![it.specifier], it.path].concat().join(".")
        )
    };
    facts(source)
        .requires
        .into_iter()
        .map(line)
        .collect::<Vec<_>>()
        .join(", ")
}

fn exports(facts: ModuleFacts) -> String {
    let line = |it: mobula_analysis::Export| format!("{}={}", it.exported, it.local);
    facts
        .exports
        .into_iter()
        .map(line)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn import_statements() {
    for (source, wanted) in [
        ("import a from 'm'", "a m default"),
        ("import * as a from \"m\"", "a m *"),
        (
            "import { a, b as c, default as d, 'x y' as e } from 'm'",
            "a m a, c m b, d m default, e m x y",
        ),
        ("import a, { b } from 'm'", "a m default, b m b"),
        (
            "import a from 'm' with { type: 'json', 'x-y': 'z' }",
            "a m default type=json x-y=z",
        ),
        ("import 'm'", ""),
        ("import('m')", ""),
        (
            "/* import x from 'y' */ import // é\n a from './ü.js'",
            "a ./ü.js default",
        ),
        ("\u{feff}import a from 'm'", "a m default"),
        ("#!/usr/bin/env node\nimport a from 'm'", "a m default"),
    ] {
        assert_eq!(imports(facts(source)), wanted, "{source}");
    }
    assert_eq!(
        imports(ts(
            "import type A from 'm'; import { type B, c } from 'm'; import type * as D from 'm'"
        )),
        "type A m default, type B m B, c m c, type D m *"
    );
}

#[test]
fn calls_of_require() {
    for (source, wanted) in [
        ("const x = require('s')", "x s"),
        (
            "let x = require(\"s\"), y = 1, z = require(`t`)",
            "x s, z t",
        ),
        ("var { a, b: c } = require('s')", "a s.a, c s.b"),
        (
            "const { a: { b, c: d } } = require('s')",
            "b s.a.b, d s.a.c",
        ),
        (
            "const { a = 1, 'b-c': d, [e]: f, ...g } = require('s')",
            "a s.a, d s.b-c",
        ),
        ("const x = require('s').p", "x s.p"),
        ("const x = require('s').p['q']", "x s.p.q"),
        ("const { r } = require('s').p", "r s.p.r"),
        ("const x = require('s')?.p", "x s.p"),
        ("const x = helper(require('s'))", "x s wrapped"),
        ("const x = helper(require('s'), 1)", "x s wrapped"),
        (
            "const x = /* @__PURE__ */ __toESM(require('s'), 1)",
            "x s wrapped",
        ),
        (
            "const x = (0, tslib_1.__importDefault)(require('s'))",
            "x s wrapped",
        ),
        (
            "const { x } = helper(require('s')).default",
            "x s.default.x wrapped",
        ),
        ("const x = a(b(require('s').p))", "x s.p wrapped"),
        ("(() => { const x = require('s') })()", "x s"),
        ("(function () { const x = require('s') })()", "x s"),
        ("(function () { const x = require('s') }).call(this)", "x s"),
        ("(function () { const x = require('s') }())", "x s"),
        (
            "!function () { (() => { const x = require('s') })() }()",
            "x s",
        ),
        ("void (async () => { const x = require('s') })()", "x s"),
        (
            "const require = createRequire(import.meta.url); const x = require('s')",
            "x s",
        ),
        ("export const x = require('s')", "x s"),
        ("const x = require(s)", ""),
        ("const x = require('s')()", ""),
        ("const x = new (require('s'))", ""),
        ("function f() { const x = require('s') }", ""),
        ("const [x] = require('s')", ""),
        ("require('s')", ""),
    ] {
        assert_eq!(requires(source), wanted, "{source}");
    }
    let [x] = <[_; 1]>::try_from(
        ts("import x = require('s'); import type y = require('t'); import z = x.a").requires,
    )
    .unwrap();
    assert!(x.local == "x" && x.specifier == "s" && x.path.is_empty() && !x.is_wrapped);
}

#[test]
fn exports_of_modules() {
    for (source, wanted) in [
        ("export function f() {}", "f=f"),
        ("export async function* f() {} export class C {}", "f=f C=C"),
        (
            "export const a = 1, { b, c: [d] } = x; export let e; export var g",
            "a=a b=b d=d e=e g=g",
        ),
        (
            "let a, b; export { a, a as c, b as default, b as 'x y' }",
            "a=a c=a default=b x y=b",
        ),
        (
            "export { a as b } from 'm'; export * from 'm'; export * as n from 'm'",
            "",
        ),
        ("export default NAME; let NAME", "default=NAME"),
        ("export default function f() {}", "default=f"),
        ("export default class C {}", "default=C"),
        ("export default (a)", "default=a"),
        ("export default function () {}", ""),
        ("export default 1", ""),
    ] {
        assert_eq!(exports(facts(source)), wanted, "{source}");
    }
    let source = "export enum E { A } export type T = 1; export interface I {} export declare const d: 1;
        export { type T as U }; export type { I as J }; export abstract class C {} export = C as any";
    assert_eq!(exports(ts(source)), "E=E C=C module.exports=C");
}

#[test]
fn exports_of_commonjs() {
    for (source, wanted) in [
        ("exports.a = b", "a=b"),
        ("module.exports.a = b", "a=b"),
        ("exports['a b'] = c", "a b=c"),
        ("exports.f = function f() {}", "f=f"),
        ("exports.f = () => 1; exports.C = class {}", "f=f C=C"),
        ("exports.a = exports.b = c", "b=c a=c"),
        (
            "exports.a = void 0; exports.b = undefined; exports.a = a",
            "a=a",
        ),
        (
            "module.exports = { a, b: c, d() {}, e: 1, ...g, [h]: i }",
            "a=a b=c d=d e=e",
        ),
        ("module.exports = exports = { a }", "a=a"),
        ("module.exports = f", "module.exports=f"),
        ("module.exports = class A {}", "module.exports=A"),
        ("(function () { exports.a = b })()", "a=b"),
        ("exports.a = 1, exports.b = c", "a=a b=c"),
        (
            "Object.defineProperty(exports, 'a', { enumerable: true, get: function () { return b } })",
            "a=b",
        ),
        (
            "Object.defineProperty(exports, '__esModule', { value: true })",
            "",
        ),
        (
            "__export(x_exports, { a: () => b, default: () => c }); module.exports = __toCommonJS(x_exports)",
            "a=b default=c",
        ),
        ("other.a = b; exports.a += b", ""),
    ] {
        assert_eq!(exports(facts(source)), wanted, "{source}");
    }
}

#[test]
fn kinds_of_modules() {
    for (source, is_module, is_strict) in [
        ("import 'm'", true, true),
        ("export {}", true, true),
        ("import.meta", true, true),
        ("await 1", true, true),
        ("for await (const x of y);", true, true),
        ("const { a } = await import('m')", true, true),
        ("import('m')", false, false),
        ("const f = async () => { await 1 }", false, false),
        ("'use strict'; const x = 1", false, true),
        ("\"use strict\"", false, true),
        ("x; 'use strict'", false, false),
        ("with (a) b", false, false),
        ("return 1", false, false),
        ("var await = 1", false, false),
        ("#!/usr/bin/env node\nx", false, false),
        ("", false, false),
    ] {
        let facts = facts(source);
        assert_eq!(
            (facts.is_module, facts.is_strict),
            (is_module, is_strict),
            "{source}"
        );
    }
}

#[test]
fn bindings_that_change() {
    for (source, wanted) in [
        ("let a = 1; a = 2", "a"),
        (
            "let a = 1, b; var c; function f() { b = 1; c++ } f = 1",
            "b c f",
        ),
        (
            "let a; [a] = []; let b; ({ b } = {}); let c; for (c of []);",
            "a b c",
        ),
        ("export let a = 1; export const set = () => { a = 2 }", "a"),
        ("let a; function f(a) { a = 1; let b; b = 2 }", ""),
        ("let a = {}; a.b = 1", ""),
        ("var a = 1; var a = 2", "a"),
        (
            "(() => { let a = 1; a = 2; () => { let b; b = 1 } })()",
            "a",
        ),
        ("free = 1", ""),
    ] {
        assert_eq!(facts(source).reassigned.join(" "), wanted, "{source}");
    }
}

#[test]
fn constants_are_what_nothing_else_declares() {
    for (source, wanted) in [
        ("const a = 1; let b = 2; var c", "a"),
        ("const a = 1; function f(a) {}", ""),
        ("function f() { const k = 1; return () => k }", "k"),
        ("{ const a = 1 } { let a = 2 }", ""),
        ("import a from 'x'; const { b, c: [d] } = a", "b d"),
    ] {
        assert_eq!(facts(source).constants.join(" "), wanted, "{source}");
    }
}

#[test]
fn languages_are_as_said() {
    let source = "import a from 'm'; const x = <T,>(y: T) => y; export const el = <a b={x}>c</a>";
    assert!(analyze_module(source, false, false).is_err());
    assert!(analyze_module(source, true, false).is_err());
    assert_eq!(
        exports(analyze_module(source, true, true).unwrap()),
        "el=el"
    );
    assert!(analyze_module("const a: number = 1", false, false).is_err());
    assert!(analyze_module("const a = <b/>", false, true).is_ok());
    assert!(analyze_module("let (", true, true).is_err_and(|it| !it.is_empty()));
}

#[test]
fn classes_are_told_by_their_names() {
    let source = "export class a {}\nclass b {}\nexport { b as c }\nexport const d = class {}, e = () => class {}\n\
                  export default class {}\nfunction f() { class inner {} }\nlet g = (class named {})";
    assert_eq!(facts(source).classes, ["a", "b", "d", "default", "g"]);
    let named = facts("export default class named {}");
    assert_eq!(named.classes, ["named"]);
    let typed = ts("declare class a {}\nexport declare class b {}\nexport abstract class c {}");
    assert_eq!(typed.classes, ["c"]);
}

#[test]
fn what_is_passed_on_from_other_modules_is_told() {
    let source = "export { a, b as c, default as d } from './x.js'\nexport * from './y.js'\n\
                  export * as e from './z.js'\nexport { type T, f } from './t.js'\nexport type { U } from './u.js'";
    let passed = ts(source).passed_on;
    let passed = passed
        .iter()
        .map(|it| format!("{}={} {}", it.exported, it.imported, it.specifier));
    let wanted = [
        "a=a ./x.js",
        "c=b ./x.js",
        "d=default ./x.js",
        "*=* ./y.js",
        "f=f ./t.js",
    ];
    assert_eq!(passed.collect::<Vec<_>>(), wanted);
}

#[test]
fn generators_are_told_by_their_names() {
    let source = "export function* a() {}\nexport async function* b() {}\nconst c = function* () {}\n\
                  export { c as d }\nexport default function* () {}\nfunction e() { function* inner() {} }\n\
                  export const f = async function* g() {}, h = () => 1";
    let found = facts(source);
    assert_eq!(found.generators, ["a", "b", "c", "default", "f"]);
    assert_eq!(
        ts("export const t = (function* (): Generator<number> {}) as unknown").generators,
        ["t"]
    );
    assert_eq!(
        facts("export default function* named() {}").generators,
        ["named"]
    );
}
