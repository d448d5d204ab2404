//! What a [`Filesystem`] promises, and what it does not.

use super::filesystem::{Filesystem, Habits};
use solod::data::rng::Rng;
use std::collections::BTreeSet;

fn disk(syncs_names: bool, orders_names: bool) -> Filesystem {
    Filesystem::new(Habits { syncs_names, orders_names })
}

/// All that may be left of a disk, as `look` sees it.
fn after_power_cuts(disk: &Filesystem, look: impl Fn(&Filesystem) -> String) -> BTreeSet<String> {
    let mut rng = Rng::new(1);
    let cut = |_| {
        let mut left = disk.clone();
        left.lose_power(&mut rng);
        let seen = look(&left);
        left.lose_power(&mut rng);
        assert_eq!(look(&left), seen, "what has survived once is on the disk");
        seen
    };
    (0..500).map(cut).collect()
}

fn text(disk: &Filesystem, path: &str) -> String {
    disk.content(path).map_or("none".to_owned(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn of_what_was_written_since_the_last_sync_a_first_part_is_left() {
    let mut disk = disk(true, true);
    let file = disk.create("f").unwrap();
    disk.append(file, b"ab");
    disk.sync(file);
    disk.append(file, b"c");
    disk.append(file, b"de");
    assert_eq!(after_power_cuts(&disk, |d| text(d, "f")), set(&["ab", "abc", "abcd", "abcde"]));
    disk.sync(file);
    assert_eq!(after_power_cuts(&disk, |d| text(d, "f")), set(&["abcde"]));
}

#[test]
fn a_file_that_was_cut_off_may_have_its_old_end_until_it_is_synced() {
    let mut disk = disk(true, true);
    let file = disk.create("f").unwrap();
    disk.append(file, b"abc");
    disk.sync(file);
    disk.cut(file, 1);
    disk.append(file, b"X");
    assert_eq!(text(&disk, "f"), "aX");
    assert_eq!(after_power_cuts(&disk, |d| text(d, "f")), set(&["a", "ab", "abc", "aX"]));
    disk.sync(file);
    assert_eq!(after_power_cuts(&disk, |d| text(d, "f")), set(&["aX"]));
    disk.append(file, b"bcd");
    disk.cut(file, 3);
    disk.append(file, b"Y");
    assert_eq!(after_power_cuts(&disk, |d| text(d, "f")), set(&["aX", "aXb", "aXbc", "aXbcd", "aXbY"]));
}

#[test]
fn what_a_failed_sync_was_to_write_may_never_be_written() {
    let mut disk = disk(true, true);
    let file = disk.create("f").unwrap();
    disk.append(file, b"a");
    disk.sync(file);
    disk.append(file, b"b");
    disk.fail_sync(file, true);
    disk.append(file, b"c");
    disk.sync(file);
    assert_eq!((text(&disk, "f"), after_power_cuts(&disk, |d| text(d, "f"))), ("abc".into(), set(&["a"])));
    disk.cut(file, 1);
    disk.append(file, b"d");
    disk.sync(file);
    assert_eq!(after_power_cuts(&disk, |d| text(d, "f")), set(&["ad"]));
}

#[test]
fn a_name_is_on_the_disk_when_its_directory_was_synced_and_a_rename_happens_whole() {
    for (orders, left) in [(true, set(&["none none", "a none", "none a"])), (false, set(&["none none", "a none", "none a"]))] {
        let mut disk = disk(false, orders);
        let file = disk.create("old").unwrap();
        disk.append(file, b"a");
        disk.sync(file);
        disk.rename("old", "new").unwrap();
        let look = |d: &Filesystem| format!("{} {}", text(d, "old"), text(d, "new"));
        assert_eq!(after_power_cuts(&disk, look), left);
        disk.sync_directory("").unwrap();
        assert_eq!(after_power_cuts(&disk, look), set(&["none a"]));
        assert!(disk.remove("new") && !disk.remove("new"));
        assert_eq!(after_power_cuts(&disk, look), set(&["none none", "none a"]));
    }
}

#[test]
fn names_of_one_directory_come_in_order_where_the_filesystem_orders_them() {
    for (orders, left) in [(true, set(&["", "1", "12"])), (false, set(&["", "1", "2", "12"]))] {
        let mut disk = disk(false, orders);
        disk.create("1").unwrap();
        disk.create("2").unwrap();
        assert_eq!(after_power_cuts(&disk, |d| d.list("").unwrap().concat()), left);
    }
}

#[test]
fn a_file_that_is_synced_has_its_name_on_some_disks() {
    for (syncs_names, left) in [(true, set(&["a"])), (false, set(&["none", "a"]))] {
        let mut disk = disk(syncs_names, true);
        let file = disk.create("f").unwrap();
        disk.append(file, b"a");
        disk.sync(file);
        assert_eq!(after_power_cuts(&disk, |d| text(d, "f")), left);
    }
}

#[test]
fn a_directory_that_was_made_is_there_when_the_one_around_it_was_synced() {
    let mut disk = disk(false, true);
    assert!(disk.create("d/f").is_err());
    disk.make_dir("d").unwrap();
    let file = disk.create("d/f").unwrap();
    disk.append(file, b"a");
    disk.sync(file);
    disk.sync_directory("d").unwrap();
    assert_eq!(after_power_cuts(&disk, |d| text(d, "d/f")), set(&["none", "a"]));
    disk.sync_directory("").unwrap();
    assert_eq!(after_power_cuts(&disk, |d| text(d, "d/f")), set(&["a"]));
}
