//! The checksum of files and payloads: CRC-64/REDIS, sixteen bytes a step.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A checksum in the making.
pub(super) type Sum = Digest<'static, u64, Table<16>>;

/// Of nothing, to begin with.
pub(super) fn sum() -> Sum {
    CRC.digest()
}

/// Of these bytes.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    CRC.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_checksum_of_redis() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let mut pieces = sum();
        pieces.update(b"1234");
        pieces.update(b"56789");
        assert_eq!(pieces.finalize(), checksum(b"123456789"));
    }
}
