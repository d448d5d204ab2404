//! Configurations at random, for property tests.

use proptest::prelude::*;

use super::reading::Reading;
use super::table::{Config, Directive, DirectiveId, TABLE};
use super::value::{Notation, ValueKind};

/// A configuration with up to a few dozen directives set to anything they accept.
pub(super) fn config() -> impl Strategy<Value = Config> {
    prop::collection::vec(setting(), 0..40).prop_map(|settings| {
        let mut reading = Reading::default();
        for (directive, values) in settings {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            // What a directive refuses stays unset.
            let _ = reading.apply(directive, &values);
        }
        without_conflicts(reading.config)
    })
}

/// Drops directives that exclude others.
fn without_conflicts(mut config: Config) -> Config {
    if config.cluster_enabled {
        config.databases = 1;
        config.replicaof = None;
    }
    if !config.aclfile.is_empty() {
        config.users.clear();
    }
    config
}

/// A directive and values that it probably accepts.
fn setting() -> impl Strategy<Value = (&'static Directive, Vec<Vec<u8>>)> {
    let ids = TABLE.iter().filter(|directive| !matches!(directive.id, DirectiveId::include | DirectiveId::rename_command));
    prop::sample::select(ids.collect::<Vec<_>>()).prop_flat_map(|directive| (Just(directive), values(directive)))
}

fn values(directive: &'static Directive) -> BoxedStrategy<Vec<Vec<u8>>> {
    let text = |words: &str| {
        let words = words.split(' ').map(|word| word.as_bytes().to_vec());
        words.collect::<Vec<_>>()
    };
    match directive.id {
        DirectiveId::save => prop::collection::vec((1u32.., 0u32..), 0..3)
            .prop_map(|points| {
                let words = points.iter().flat_map(|(seconds, changes)| [*seconds, *changes]);
                words.map(|word| word.to_string().into_bytes()).collect()
            })
            .boxed(),
        DirectiveId::client_output_buffer_limit => {
            let class = prop::sample::select(vec!["normal", "slave", "replica", "pubsub"]);
            (class, 0u64..1 << 40, 0u32.., 0u16..)
                .prop_map(move |(class, hard, soft, seconds)| text(&format!("{class} {} {soft} {seconds}", hard >> 20 << 20)))
                .boxed()
        }
        DirectiveId::oom_score_adj_values => {
            (-2000..2000, -2000..2000, -2000..2000).prop_map(move |(one, two, three)| text(&format!("{one} {two} {three}"))).boxed()
        }
        DirectiveId::latency_tracking_info_percentiles => {
            prop::collection::vec(0.0f64..=100.0, 0..4).prop_map(|all| all.iter().map(|one| one.to_string().into_bytes()).collect()).boxed()
        }
        DirectiveId::notify_keyspace_events => "[Ag$lshzxeKEtmdn]{0,8}".prop_map(|letters| vec![letters.into_bytes()]).boxed(),
        DirectiveId::replicaof => ("[a-z. ]{1,9}", 0u16..).prop_map(|(host, port)| vec![host.into(), port.to_string().into()]).boxed(),
        DirectiveId::proc_title_template => "(\\{port\\}|[a-z\" ]){1,6}".prop_map(|title| vec![title.into_bytes()]).boxed(),
        _ => values_of_kind(directive.kind),
    }
}

fn values_of_kind(kind: ValueKind) -> BoxedStrategy<Vec<Vec<u8>>> {
    let one_of = |names: &'static [&'static str]| prop::sample::select(names);
    match kind {
        ValueKind::Bool => one_of(&["yes", "no"]).prop_map(|word| vec![word.into()]).boxed(),
        ValueKind::Integer { unit: Notation::MemoryOrPercent, .. } => {
            prop_oneof!["[0-9]{1,2}%", "[1-9][0-9]{0,9}(mb)?"].prop_map(|word| vec![word.into()]).boxed()
        }
        ValueKind::Integer { min, max, unit } => (min..=max, 0u32..48)
            .prop_map(move |(number, shift)| {
                let number = (number >> shift).max(min);
                let octal = unit == Notation::Octal;
                vec![if octal { format!("{number:o}") } else { number.to_string() }.into()]
            })
            .boxed(),
        ValueKind::Choice(names) => one_of(names).prop_map(|name| vec![name.into()]).boxed(),
        ValueKind::Flags(names) => prop::collection::vec(one_of(names).prop_map(Vec::from), 1..4).boxed(),
        ValueKind::Text(_) | ValueKind::Word(_) => prop_oneof!["[a-z0-9.-]{0,12}", ".{0,12}"].prop_map(|word| vec![word.into()]).boxed(),
        ValueKind::Words(_) => {
            let word = prop_oneof!["[a-z*:.+~@&>#-]{0,8}", ".{0,8}"].prop_map(String::into_bytes);
            prop::collection::vec(word, 1..4).boxed()
        }
    }
}
