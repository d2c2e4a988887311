//! Texts may be as deep as V8 takes them, and deeper.

use mobula_analysis::{analyze_function, analyze_module, box_names};

#[test]
fn deep_texts_do_not_overflow_the_stack() {
    let deep = |open: &str, middle: &str, close: &str, times: usize| {
        let [open, close] = [open, close].map(|it| it.repeat(times));
        format!("() => {{ {open}{middle}{close} }}")
    };
    for text in [
        deep("(", "a", ")", 20_000),
        deep("[", "a", "]", 20_000),
        deep("{", "a", "}", 20_000),
        deep("a => ", "a", "", 20_000),
        deep("a + ", "a", "", 100_000),
        deep("!", "a", "", 100_000),
        deep("a = ", "a", "", 20_000),
        deep("a ? a : ", "a", "", 20_000),
        deep("if (a) a; else ", "a", "", 20_000),
        deep("`${", "a", "}`", 20_000),
        deep("(class { a = ", "a", "})", 10_000),
        deep("a", "a", "()", 100_000),
        deep("(", "a", "", 20_000),
    ] {
        let _ = analyze_function(&text);
        let _ = analyze_module(&text, true, true);
        let _ = box_names(&text, &["a".to_owned()]);
    }
}
