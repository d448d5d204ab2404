//! What is known about a directive beside its value, and the macro that turns rows into the table. Which directives there are is not known here.

use std::fmt;

use super::support::Support;
use super::value::ValueKind;

/// [`Setting::assign`](super::value::Setting::assign) of one field.
type Assign<C> = fn(&mut C, words: &[&[u8]], &ValueKind) -> Result<(), String>;

/// One row of a table of directives: what is known of a directive that is named by an `I` and has a field in a `C`.
pub struct DirectiveRow<C: 'static, I> {
    pub id: I,
    /// The name as CONFIG and configuration files spell it, in lower case.
    pub name: &'static str,
    /// A second, older name with the same meaning.
    pub alias: Option<&'static str>,
    /// The chapter of the documentation it belongs to.
    pub section: &'static str,
    pub kind: ValueKind,
    pub flags: Flags,
    /// Whether a value other than the default does anything.
    pub support: Support,
    pub(super) summary_lines: &'static [&'static str],
    pub(super) assign: Assign<C>,
    pub(super) show: fn(&C, &ValueKind) -> Vec<u8>,
    pub(super) lines: fn(&C, &ValueKind) -> Vec<Vec<u8>>,
    pub(super) same: fn(&C, &C) -> bool,
}

impl<C, I: 'static> DirectiveRow<C, I> {
    /// Whether `name` is this directive's name or alias, in any case.
    pub fn is_named(&self, name: &[u8]) -> bool {
        self.names().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name, then the alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<C, I> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    /// What it does, in a sentence or two.
    pub fn summary(&self) -> String {
        let lines: Vec<&str> = self.summary_lines.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }

    /// The value in `config`, as CONFIG GET writes it.
    pub fn show(&self, config: &C) -> Vec<u8> {
        (self.show)(config, &self.kind)
    }

    pub(super) fn assign(&self, config: &mut C, words: &[&[u8]]) -> Result<(), String> {
        (self.assign)(config, words, &self.kind)
    }

    /// The values of the lines that a file needs for it; empty where the absence of the directive means the value.
    pub(super) fn lines(&self, config: &C) -> Vec<Vec<u8>> {
        (self.lines)(config, &self.kind)
    }
}

impl<C, I> fmt::Debug for DirectiveRow<C, I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// Properties of a directive that are not in its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    pub const NONE: Flags = Flags(0);
    /// Only the file or the command line may set it.
    pub const IMMUTABLE: Flags = Flags(1);
    /// The value is a secret: keep it out of logs, MONITOR and SLOWLOG.
    pub const SECRET: Flags = Flags(1 << 1);
    /// Patterns of CONFIG GET do not find it, its exact name does.
    pub const HIDDEN: Flags = Flags(1 << 2);
    /// CONFIG SET needs the permission of `enable-protected-configs`.
    pub const PROTECTED: Flags = Flags(1 << 3);
    /// CONFIG SET is refused while a dataset is loading.
    pub const DENY_LOADING: Flags = Flags(1 << 4);
    /// Setting the same value again counts as a change: the name stays, what it names may differ (certificate files, a
    /// directory on a volume that was mounted again).
    pub const VOLATILE: Flags = Flags(1 << 5);
    /// Part of a crash report.
    pub const DEBUG: Flags = Flags(1 << 6);
    /// A line of a configuration file that CONFIG GET and CONFIG SET do not know.
    pub const FILE_ONLY: Flags = Flags(1 << 7);
    /// The alias is ours, not Redis's: patterns of CONFIG GET do not find it.
    pub const HIDDEN_ALIAS: Flags = Flags(1 << 8);

    pub fn contains(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    pub(super) const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Makes `Config`, `DirectiveId` and `TABLE` from rows; [`super::table`] says how a row reads.
macro_rules! directives {
    ($(
        section $section:literal {$(
            $(#[doc = $summary:literal])+
            $name:literal $(| $alias:literal)? => $field:ident: $type:ty = $default:expr, $kind:expr, [$($flag:ident),*] $(, $support:expr)?;
        )*}
    )*) => {
        /// The value of every directive. Fields are named after their directives.
        #[derive(Clone, PartialEq)]
        pub struct Config {
            $($( $(#[doc = $summary])+ pub $field: $type, )*)*
            /// Settings of modules, `module.name` and its value, in the order of the file.
            pub module_values: Vec<(String, Vec<u8>)>,
        }

        impl Default for Config {
            fn default() -> Config {
                Config { $($( $field: $default, )*)* module_values: Vec::new() }
            }
        }

        /// Names a directive. Variants carry the names of [`Config`]'s fields.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DirectiveId { $($( $field, )*)* }

        /// Every directive, in the order CONFIG GET and the documentation list them; indexed by [`DirectiveId`].
        pub static TABLE: &[Directive] = &[$($(
            Directive {
                id: DirectiveId::$field,
                name: $name,
                alias: directives!(@alias $($alias)?),
                section: $section,
                kind: $kind,
                flags: Flags::NONE$(.with(Flags::$flag))*,
                support: directives!(@support $($support)?),
                summary_lines: &[$($summary),+],
                assign: |config, words, kind| config.$field.assign(words, kind),
                show: |config, kind| config.$field.show(kind),
                lines: |config, kind| config.$field.lines(kind),
                same: |one, other| one.$field == other.$field,
            },
        )*)*];
    };
    (@alias $alias:literal) => { Some($alias) };
    (@alias) => { None };
    (@support $support:expr) => { $support };
    (@support) => { Support::Works };
}

pub(super) use directives;
