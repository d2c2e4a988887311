use mobula_analysis::*;
#[test]
fn scratch() {
    for text in std::fs::read_to_string("/tmp/cases.txt")
        .unwrap()
        .split("\n====\n")
    {
        println!("--- {text}");
        match analyze_function(text) {
            Ok(f) => println!("{f:?}"),
            Err(e) => println!("ERR {e}"),
        }
        let b: Vec<String> = vec!["count".into()];
        println!("BOX {:?}", box_names(text, &b));
    }
}
