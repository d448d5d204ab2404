//! The format's numbers: versions, opcodes, and the types of values with their names.

/// The version that is written where nothing needs a later one, so that older servers can load it.
pub const VERSION_WRITTEN: u32 = 10;

/// The version that is written when consumers of streams have been active at another time than they were last seen.
pub const VERSION_ACTIVE_TIMES: u32 = 11;

/// The version that is written when fields of hashes have deadlines.
pub const VERSION_FIELD_DEADLINES: u32 = 12;

/// From this version on a checksum stands at the end.
pub(super) const VERSION_WITH_CHECKSUM: u32 = 5;

/// Whose format it is. Both grew out of version 11, and use the same new numbers for different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Redis, and Valkey before 9.
    Redis,
    /// Valkey from 9 on.
    Valkey,
}

impl Family {
    /// Redis 8.6 writes 13.
    const REDIS_MAX: u32 = 13;
    /// Valkey starts over here, so that a payload, which has no signature, tells whose it is.
    const VALKEY_MIN: u32 = 80;
    /// Valkey 9 writes 80.
    const VALKEY_MAX: u32 = 80;

    /// The family of a file's version, if we know it.
    pub(super) fn knows(self, version: u32) -> bool {
        match self {
            // Valkey 7 and 8 signed as Redis does.
            Self::Redis => (1..=Self::REDIS_MAX).contains(&version),
            Self::Valkey => (Self::VALKEY_MIN..=Self::VALKEY_MAX).contains(&version),
        }
    }

    /// The highest version we know.
    pub(super) fn version_max(self) -> u32 {
        match self {
            Self::Redis => Self::REDIS_MAX,
            Self::Valkey => Self::VALKEY_MAX,
        }
    }

    /// The family of a payload, which says only its version; `None` when we do not know it.
    pub(super) fn of_payload(version: u32) -> Option<Self> {
        // Redis refuses what is newer, and nothing else: there are payloads of version 0.
        match version {
            ..=Self::REDIS_MAX => Some(Self::Redis),
            Self::VALKEY_MIN..=Self::VALKEY_MAX => Some(Self::Valkey),
            _ => None,
        }
    }

    /// The name that the signature begins with.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Redis => "REDIS",
            Self::Valkey => "VALKEY",
        }
    }
}

/// What a record begins with when it is no key.
pub(super) mod opcode {
    /// Valkey: slots that were on their way into a cluster's node. Redis: what modules know about the next key.
    pub const SLOT_IMPORT_OR_KEY_META: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION2: u8 = 245;
    /// Functions as release candidates of 7.0 wrote them.
    pub const FUNCTION_PRE_GA: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQ: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZEDB: u8 = 251;
    pub const EXPIRETIME_MS: u8 = 252;
    pub const EXPIRETIME: u8 = 253;
    pub const SELECTDB: u8 = 254;
    pub const EOF: u8 = 255;
}

/// What stands in front of each item of a module's data, so that it can be read without the module.
pub(super) mod module_item {
    pub const END: u64 = 0;
    pub const SIGNED: u64 = 1;
    pub const UNSIGNED: u64 = 2;
    pub const FLOAT: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const STRING: u64 = 5;
}

/// What follows a string's first byte in its six low bits when the two high ones are set.
pub(super) mod string_encoding {
    pub const INT8: u8 = 0;
    pub const INT16: u8 = 1;
    pub const INT32: u8 = 2;
    pub const LZF: u8 = 3;
}

/// The types of values that we have.
pub(super) mod types {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    /// With scores in letters.
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    /// With scores of 8 bytes.
    pub const ZSET_2: u8 = 5;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    /// Of ziplists.
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    /// Of listpacks, and of elements that lie alone.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// With the first and the largest deleted ID, and how many entries were added and read.
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    /// With the times at which consumers were active.
    pub const STREAM_3: u8 = 21;
    /// Redis: with deadlines as Unix milliseconds. Valkey: pairs, each with a deadline of 8 bytes behind it (-1: none).
    pub const HASH_METADATA_PRE_GA: u8 = 22;
    pub const VALKEY_HASH_2: u8 = 22;
    pub const HASH_LISTPACK_EX_PRE_GA: u8 = 23;
    /// With the first deadline in front, from which the others are counted.
    pub const HASH_METADATA: u8 = 24;
    pub const HASH_LISTPACK_EX: u8 = 25;
}

/// Names of the types by their number, for errors about what we cannot load. Up to 21 all families agree.
const TYPES: [&str; 22] = [
    "string",
    "list",
    "set",
    "sorted set with textual scores",
    "hash",
    "sorted set",
    "module value of a release candidate",
    "module value",
    "",
    "hash as zipmap",
    "list as ziplist",
    "set as intset",
    "sorted set as ziplist",
    "hash as ziplist",
    "list as quicklist of ziplists",
    "stream",
    "hash as listpack",
    "sorted set as listpack",
    "list as quicklist",
    "stream (version 2)",
    "set as listpack",
    "stream (version 3)",
];

const TYPES_REDIS: [&str; 6] = [
    "hash with expiring fields of a release candidate",
    "hash as listpack with expiring fields of a release candidate",
    "hash with expiring fields",
    "hash as listpack with expiring fields",
    "stream (version 4)",
    "stream (version 5)",
];

const TYPES_VALKEY: [&str; 1] = ["hash with expiring fields"];

/// The name of a type; `None` when the number stands for none.
pub(super) fn type_name(family: Family, code: u8) -> Option<&'static str> {
    let code = usize::from(code);
    let own: &[&str] = match family {
        Family::Redis => &TYPES_REDIS,
        Family::Valkey => &TYPES_VALKEY,
    };
    TYPES.get(code).or_else(|| own.get(code.checked_sub(TYPES.len())?)).copied().filter(|name| !name.is_empty())
}

/// The nine characters of a module type's name that its id is made of; the low ten bits are the encoding's version.
pub(super) fn module_name(id: u64) -> [u8; 9] {
    const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::array::from_fn(|i| CHARACTERS[(id >> (58 - 6 * i) & 63) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_name_in_its_family() {
        assert_eq!(type_name(Family::Redis, 0), Some("string"));
        assert_eq!(type_name(Family::Redis, 8), None);
        assert_eq!(type_name(Family::Redis, 18), Some("list as quicklist"));
        assert_eq!(type_name(Family::Redis, 22), Some("hash with expiring fields of a release candidate"));
        assert_eq!(type_name(Family::Valkey, 22), Some("hash with expiring fields"));
        assert_eq!(type_name(Family::Valkey, 23), None);
        assert_eq!(type_name(Family::Redis, 28), None);
    }

    #[test]
    fn a_module_is_named_by_its_id() {
        // "A" is 0, "B" is 1: the name's first character is in the highest bits.
        assert_eq!(&module_name(1 << 58 | 5 << 10 | 1023), b"BAAAAAAAF");
    }

    #[test]
    fn payloads_are_known_by_their_version_alone() {
        assert_eq!(Family::of_payload(0), Some(Family::Redis));
        assert_eq!(Family::of_payload(12), Some(Family::Redis));
        assert_eq!(Family::of_payload(14), None);
        assert_eq!(Family::of_payload(80), Some(Family::Valkey));
        assert_eq!(Family::of_payload(81), None);
    }
}
