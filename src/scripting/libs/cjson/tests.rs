use super::{
    super::{
        Fault, Stack,
        model::{Model, Value, bytes, number, sequence, string, table},
    },
    InvalidNumbers, Setting, Settings, decode, encode,
};
use proptest::prelude::*;

fn encoded(value: &Value, settings: &Settings) -> Result<String, Fault> {
    let mut out = Vec::new();
    encode(&mut Model::with(std::slice::from_ref(value)), settings, &mut out, &mut || Ok(()))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn decoded(text: &[u8], settings: &Settings) -> Result<Value, Fault> {
    let mut stack = Model::default();
    decode(&mut stack, settings, text, &mut Vec::new(), &mut || Ok(()))?;
    assert_eq!(stack.top(), 1);
    Ok(stack.last())
}

fn plain(value: Value) -> String {
    encoded(&value, &Settings::default()).unwrap()
}

fn read(text: &str) -> Value {
    decoded(text.as_bytes(), &Settings::default()).unwrap()
}

fn refusal(text: &str) -> String {
    match decoded(text.as_bytes(), &Settings::default()) {
        Err(Fault::Error(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_are_encoded() {
    assert_eq!(plain(Value::Nil), "null");
    assert_eq!(plain(Value::Null), "null");
    assert_eq!(plain(Value::Boolean(true)), "true");
    assert_eq!(plain(number(1e15)), "1e+15");
    assert_eq!(plain(string("a\"/\\\n\u{1}\u{7f}é")), "\"a\\\"\\/\\\\\\n\\u0001\\u007fé\"");
    assert_eq!(plain(sequence([number(1.0), Value::Null, sequence([])])), "[1,null,{}]");
    assert_eq!(plain(table([(string("a"), number(0.5)), (number(1.0), Value::Boolean(false))])), "{\"a\":0.5,\"1\":false}");
}

#[test]
fn holes_of_an_array_are_null_up_to_a_point() {
    let sparse = |index: f64| table([(number(index), number(1.0))]);
    let message = "Cannot serialise table: excessively sparse array";
    assert_eq!(plain(sparse(3.0)), "[null,null,1]");
    assert_eq!(encoded(&sparse(11.0), &Settings::default()), Err(Fault::Error(message.into())));
    let converting = Settings { sparse_convert: true, ..Settings::default() };
    assert_eq!(encoded(&sparse(11.0), &converting).unwrap(), "{\"11\":1}");
    assert_eq!(plain(sparse(1e12)), "{\"1000000000000\":1}", "no C integer");
}

#[test]
fn what_cannot_be_encoded_says_why() {
    let message = |value: Value| encoded(&value, &Settings::default()).unwrap_err();
    assert_eq!(message(Value::Function), Fault::Error("Cannot serialise function: type not supported".into()));
    assert_eq!(message(number(f64::NAN)), Fault::Error("Cannot serialise number: must not be NaN or Inf".into()));
    let keyed = table([(Value::Boolean(true), number(1.0))]);
    assert_eq!(message(keyed), Fault::Error("Cannot serialise boolean: table key must be a number or string".into()));
    let deep = (0..1001).fold(number(1.0), |inner, _| sequence([inner]));
    assert_eq!(message(deep), Fault::Error("Cannot serialise, excessive nesting (1001)".into()));
}

#[test]
fn invalid_numbers_are_encoded_as_set() {
    let written = Settings { encode_invalid: InvalidNumbers::Written, ..Settings::default() };
    let null = Settings { encode_invalid: InvalidNumbers::Null, ..Settings::default() };
    assert_eq!(encoded(&sequence([number(f64::NAN), number(f64::NEG_INFINITY)]), &written).unwrap(), "[nan,-inf]");
    assert_eq!(encoded(&sequence([number(f64::NAN), number(f64::NEG_INFINITY)]), &null).unwrap(), "[null,null]");
}

#[test]
fn texts_are_decoded() {
    assert_eq!(
        read(" [1, -2.5e3 ,\"x\",true,false,null] "),
        sequence([number(1.0), number(-2500.0), string("x"), Value::Boolean(true), Value::Boolean(false), Value::Null])
    );
    assert_eq!(read("{\"a\":{},\"b\":[]}"), table([(string("a"), table([])), (string("b"), table([]))]));
    assert_eq!(read("\"\\u00e9\\ud83d\\ude00\\n\""), string("é😀\n"));
    assert_eq!(read("[0x10,+1,Infinity,01]"), sequence([number(16.0), number(1.0), number(f64::INFINITY), number(1.0)]));
    assert_eq!(
        decoded(b"1\0junk", &Settings::default()).unwrap_err(),
        Fault::Error("JSON parser does not support UTF-16 or UTF-32".into())
    );
    assert_eq!(decoded(b"12\0junk", &Settings::default()), Ok(number(12.0)), "a byte 0 ends the text");
}

#[test]
fn faults_of_a_text_say_where() {
    for (text, message) in [
        ("", "Expected value but found T_END at character 1"),
        ("[1,]", "Expected value but found T_ARR_END at character 4"),
        ("[1 2]", "Expected comma or array end but found T_NUMBER at character 4"),
        ("{1:2}", "Expected object key string but found T_NUMBER at character 2"),
        ("{\"a\" 1}", "Expected colon but found T_NUMBER at character 6"),
        ("{\"a\":1", "Expected comma or object end but found T_END at character 7"),
        ("1 2", "Expected the end but found T_NUMBER at character 3"),
        ("\"abc", "Expected value but found unexpected end of string at character 5"),
        ("\"a\\x\"", "Expected value but found invalid escape code at character 3"),
        ("\"\\udc00\"", "Expected value but found invalid unicode escape code at character 2"),
        ("nul", "Expected value but found invalid token at character 1"),
        ("-", "Expected value but found invalid number at character 1"),
        ("?", "Expected value but found invalid token at character 1"),
    ] {
        assert_eq!(refusal(text), message, "{text}");
    }
    assert_eq!(refusal(&"[".repeat(1001)), "Found too many nested data structures (1001) at character 1001");
}

#[test]
fn numbers_that_are_no_json_can_be_refused() {
    let strict = Settings { decode_invalid: false, ..Settings::default() };
    for (text, found) in [
        ("01", "invalid number"),
        ("-0x1", "invalid number"),
        ("-inf", "invalid number"),
        ("NaN", "invalid token"),
        ("+1", "invalid token"),
    ] {
        let message = format!("Expected value but found {found} at character 1");
        assert_eq!(decoded(text.as_bytes(), &strict), Err(Fault::Error(message)), "{text}");
    }
}

#[test]
fn the_stack_bounds_nesting_whatever_is_set() {
    let deep = Settings { decode_depth_max: i32::MAX, encode_depth_max: i32::MAX, ..Settings::default() };
    assert!(matches!(decoded("[".repeat(100_000).as_bytes(), &deep), Err(Fault::Error(message)) if message.starts_with("Found too many")));
}

#[test]
fn marked_arrays_stay_arrays_when_empty() {
    let marking = Settings { mark_arrays: true, ..Settings::default() };
    assert_eq!(encoded(&decoded(b"[[],{}]", &marking).unwrap(), &marking).unwrap(), "[[],{}]");
}

#[test]
fn settings_are_read_and_set() {
    let mut settings = Settings::default();
    let mut call = |setting: Setting, arguments: &[Value]| {
        let mut stack = Model::with(arguments);
        setting.call(&mut settings, &mut stack).map(|count| stack.results(count))
    };
    assert_eq!(call(Setting::SparseArray, &[]), Ok(vec![Value::Boolean(false), number(2.0), number(10.0)]));
    assert_eq!(
        call(Setting::SparseArray, &[Value::Boolean(true), Value::Nil, string("7")]),
        Ok(vec![Value::Boolean(true), number(2.0), number(7.0)])
    );
    assert_eq!(call(Setting::EncodeInvalid, &[string("null")]), Ok(vec![string("null")]));
    assert_eq!(call(Setting::EncodeInvalid, &[string("on")]), Ok(vec![Value::Boolean(true)]));
    assert_eq!(call(Setting::Precision, &[number(15.0)]), Err(Fault::Argument(1, "expected integer between 1 and 14".into())));
    assert_eq!(call(Setting::EncodeDepth, &[number(0.0)]), Err(Fault::Argument(1, "expected integer between 1 and 2147483647".into())));
    assert_eq!(call(Setting::KeepBuffer, &[string("maybe")]), Err(Fault::Argument(1, "invalid option 'maybe'".into())));
    let no_text = bytes(b"\xff\xe9\0behind");
    assert_eq!(call(Setting::KeepBuffer, &[no_text]), Err(Fault::Argument(1, b"invalid option '\xff\xe9'".to_vec())));
    assert_eq!(call(Setting::KeepBuffer, &[Value::Nil, Value::Nil]), Err(Fault::Argument(2, "found too many arguments".into())));
}

#[test]
fn a_script_that_is_to_end_ends_inside() {
    let mut looks = 0;
    let long = sequence((0..5000).map(|at| number(f64::from(at))));
    let result = encode(&mut Model::with(&[long]), &Settings::default(), &mut Vec::new(), &mut || {
        looks += 1;
        Err(Fault::Stopped)
    });
    assert_eq!((result, looks), (Err(Fault::Stopped), 1));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        (-1_000_000i32..1_000_000).prop_map(|value| number(f64::from(value) / 8.0)),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|value| bytes(&value)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(sequence),
            proptest::collection::btree_map("[a-z/\\\\\"]{0,5}", inner, 1..6)
                .prop_map(|pairs| table(pairs.into_iter().map(|(key, value)| (string(&key), value)))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_again(value in any_value()) {
        let mut out = Vec::new();
        encode(&mut Model::with(std::slice::from_ref(&value)), &Settings::default(), &mut out, &mut || Ok(())).unwrap();
        prop_assert_eq!(decoded(&out, &Settings::default()).unwrap(), value);
    }

    #[test]
    fn no_text_does_harm(text in "[\\[\\]{}:,\"\\\\u0-9a-fA-F+\\-.xXinty \u{0}]{0,40}") {
        let _ = decoded(text.as_bytes(), &Settings::default());
    }
}
