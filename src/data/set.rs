//! A set: an intset while all members are integers, a listpack while it is small, a table otherwise.
//!
//! It changes from one to the other exactly when Redis 7.2 does, and never back by itself.

mod choice;
#[cfg(test)]
mod tests;

use super::{
    dict::Dict,
    intset::{self, Intset},
    key_hash::Seed,
    listpack::{self, BYTES_MAX, Item, Listpack},
    member::Member,
    moving::{Mover, Place, Relocate},
    number,
};

/// How large each form may become, and what a table is created with.
#[derive(Clone, Copy)]
pub struct SetLimits {
    /// Members up to which a set of integers is an intset (`set-max-intset-entries`).
    pub intset_entries: usize,
    /// Members up to which any other is a listpack (`set-max-listpack-entries`).
    pub listpack_entries: usize,
    /// Bytes of the longest member of such a one (`set-max-listpack-value`).
    pub listpack_value: usize,
    /// The seed of a table's hash.
    pub seed: Seed,
}

/// A set.
#[derive(Clone)]
pub struct Set(Repr);

#[derive(Clone)]
enum Repr {
    Ints(Intset),
    Pack(Listpack),
    Table(Box<Dict<Member>>),
}

impl Relocate for Set {
    fn relocate(&mut self, from: Place, mover: &mut Mover) -> Option<Place> {
        match &mut self.0 {
            Repr::Ints(ints) => ints.relocate(mover),
            Repr::Pack(pack) => pack.relocate(mover),
            Repr::Table(table) => {
                mover.boxed(table);
                return table.relocate(&from, mover, &mut Member::relocate);
            }
        }
        None
    }
}

impl Default for Set {
    fn default() -> Self {
        Self(Repr::Ints(Intset::new()))
    }
}

impl Set {
    /// An empty set of the form that suits `first`, with about `count` members to come.
    pub fn suited(first: &[u8], count: usize, limits: &SetLimits) -> Self {
        if count <= limits.intset_entries && number::parse_i64(first).is_some() {
            return Self::default();
        }
        if count <= limits.listpack_entries { Self::listpack() } else { Self::table(limits.seed) }
    }

    /// An empty set for members of which only the number is known: `len` of them are to be added.
    pub fn sized(len: usize, limits: &SetLimits) -> Self {
        if len <= limits.intset_entries.min(intset::LEN_MAX) { Self::default() } else { Self::table(limits.seed) }
    }

    /// An empty set as a listpack.
    pub fn listpack() -> Self {
        Self(Repr::Pack(Listpack::new()))
    }

    fn table(seed: Seed) -> Self {
        Self(Repr::Table(Box::new(Dict::new(seed))))
    }

    /// A set from an intset that came from elsewhere.
    pub fn from_intset(ints: Intset, limits: &SetLimits) -> Self {
        let mut set = Self(Repr::Ints(ints));
        set.fit_ints(limits);
        set
    }

    /// A set from a listpack that came from elsewhere; `None` when a member is in it twice.
    pub fn from_listpack(pack: Listpack, limits: &SetLimits) -> Option<Self> {
        let mut seen = Dict::new(limits.seed);
        for item in pack.iter() {
            if !insert(&mut seen, item.text(&mut itoa::Buffer::new())) {
                return None;
            }
        }
        Some(if seen.len() > limits.listpack_entries { Self(Repr::Table(Box::new(seen))) } else { Self(Repr::Pack(pack)) })
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Ints(ints) => ints.len(),
            Repr::Pack(pack) => pack.len(),
            Repr::Table(table) => table.len(),
        }
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Ints(ints) => ints.is_empty(),
            Repr::Pack(pack) => pack.is_empty(),
            Repr::Table(table) => table.is_empty(),
        }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Repr::Ints(_) => "intset",
            Repr::Pack(_) => "listpack",
            Repr::Table(_) => "hashtable",
        }
    }

    /// Its listpack, if it is one.
    pub fn compact(&self) -> Option<&Listpack> {
        if let Repr::Pack(pack) = &self.0 { Some(pack) } else { None }
    }

    /// Its intset, if it is one.
    pub fn ints(&self) -> Option<&Intset> {
        if let Repr::Ints(ints) = &self.0 { Some(ints) } else { None }
    }

    /// Its table, if it is one.
    pub fn members(&self) -> Option<&Dict<Member>> {
        if let Repr::Table(table) = &self.0 { Some(table) } else { None }
    }

    /// Bytes of memory it takes, the fixed part inside its [`Object`](super::object::Object) not counted. `samples` elements are looked at
    /// (0: all of them).
    pub fn allocated(&self, samples: usize) -> usize {
        match &self.0 {
            Repr::Ints(ints) => ints.allocated(),
            Repr::Pack(pack) => pack.allocated(),
            Repr::Table(table) => {
                let samples = if samples == 0 { table.len() } else { samples.min(table.len()) };
                let bytes: usize = table.iter().take(samples).map(Member::allocated).sum();
                let members = (bytes as u128 * table.len() as u128).checked_div(samples as u128).unwrap_or(0);
                size_of::<Dict<Member>>() + table.table_bytes() + members as usize
            }
        }
    }

    /// Every member: in an intset in ascending order, in a listpack in the order they came. Those of a table are all
    /// [`Item::Str`], be they numbers or not.
    pub fn iter(&self) -> Iter<'_> {
        Iter(match &self.0 {
            Repr::Ints(ints) => Members::Ints(ints.iter()),
            Repr::Pack(pack) => Members::Pack(pack.iter()),
            Repr::Table(table) => Members::Table(Box::new(table.iter())),
        })
    }

    /// Whether this is a member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Repr::Ints(ints) => number::parse_i64(member).is_some_and(|n| ints.contains(n)),
            Repr::Pack(pack) => pack.first().is_some_and(|first| pack.find(first, member, 0).is_some()),
            Repr::Table(table) => table.find(table.hash(member), member).is_some(),
        }
    }

    /// [`Set::contains`] for a member of another set.
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        match (&self.0, member) {
            (Repr::Ints(ints), Item::Int(n)) => ints.contains(n),
            (_, member) => self.contains(member.text(&mut itoa::Buffer::new())),
        }
    }

    /// Must be called before about `count` members are added at once: what would not stay small becomes a table now.
    pub fn expect(&mut self, count: usize, limits: &SetLimits) {
        let outgrown = match &self.0 {
            Repr::Ints(_) => count > limits.intset_entries,
            Repr::Pack(_) => count > limits.listpack_entries,
            Repr::Table(_) => false,
        };
        if outgrown {
            self.make_table(limits.seed);
        }
    }

    /// Adds a member; `false` when it was one.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: &SetLimits) -> bool {
        if let Repr::Table(table) = &mut self.0 {
            return insert(table, member);
        }
        self.add_small(Item::new(member), limits)
    }

    /// [`Set::add`] for a member of another set.
    pub fn add_item(&mut self, member: Item<'_>, limits: &SetLimits) -> bool {
        match (&self.0, member) {
            (Repr::Table(_), member) => self.add(member.text(&mut itoa::Buffer::new()), limits),
            (_, Item::Str(bytes)) => self.add(bytes, limits),
            (_, Item::Int(_)) => self.add_small(member, limits),
        }
    }

    /// Adds a member to what is not a table yet.
    fn add_small(&mut self, member: Item<'_>, limits: &SetLimits) -> bool {
        match (&mut self.0, member) {
            (Repr::Ints(ints), Item::Int(n)) => {
                let added = ints.insert(n);
                if added {
                    self.fit_ints(limits);
                }
                return added;
            }
            (Repr::Ints(ints), Item::Str(bytes)) => {
                if fits_listpack(ints, bytes, limits) {
                    let mut pack = Listpack::with_capacity(ints.len() * 2 + bytes.len());
                    ints.iter().for_each(|n| pack.push_item(Item::Int(n)));
                    pack.push_item(member);
                    self.0 = Repr::Pack(pack);
                    return true;
                }
            }
            (Repr::Pack(pack), _) => {
                if pack.first().is_some_and(|first| pack.find_item(first, member, 0).is_some()) {
                    return false;
                }
                let len = member.len();
                if pack.len() < limits.listpack_entries && len <= limits.listpack_value && pack.byte_len() + len <= BYTES_MAX {
                    pack.push_item(member);
                    return true;
                }
            }
            (Repr::Table(_), _) => unreachable!("the callers know it is none"),
        }
        let table = self.make_table(limits.seed);
        insert(table, member.text(&mut itoa::Buffer::new()))
    }

    /// Takes a member out; `false` when it was none.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Table(table) => {
                let hash = table.hash(member);
                let removed = table.remove(hash, member).is_some();
                table.gather();
                removed
            }
            _ => self.remove_small(Item::new(member)),
        }
    }

    /// [`Set::remove`] for a member of another set.
    pub fn remove_item(&mut self, member: Item<'_>) -> bool {
        match (&self.0, member) {
            (Repr::Table(_), member) => self.remove(member.text(&mut itoa::Buffer::new())),
            (_, Item::Str(bytes)) => self.remove(bytes),
            (_, Item::Int(_)) => self.remove_small(member),
        }
    }

    fn remove_small(&mut self, member: Item<'_>) -> bool {
        match (&mut self.0, member) {
            (Repr::Ints(ints), Item::Int(n)) => ints.remove(n),
            (Repr::Pack(pack), _) => match pack.first().and_then(|first| pack.find_item(first, member, 0)) {
                Some(pos) => {
                    pack.remove(pos);
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    /// Makes it an intset where that is allowed for so many members. All of them are integers: the caller has looked.
    pub fn make_ints(&mut self, limits: &SetLimits) {
        if self.ints().is_some() || self.len() > limits.intset_entries.min(intset::LEN_MAX) {
            return;
        }
        let mut sorted: Vec<i64> = Vec::with_capacity(self.len());
        for member in self.iter() {
            match member {
                Item::Int(n) => sorted.push(n),
                Item::Str(bytes) => match number::parse_i64(bytes) {
                    Some(n) => sorted.push(n),
                    None => return,
                },
            }
        }
        sorted.sort_unstable();
        let mut ints = Intset::new();
        sorted.into_iter().for_each(|n| {
            ints.insert(n);
        });
        self.0 = Repr::Ints(ints);
    }

    /// Makes a table of an intset that has too many members.
    fn fit_ints(&mut self, limits: &SetLimits) {
        if self.ints().is_some_and(|ints| ints.len() > limits.intset_entries.min(intset::LEN_MAX)) {
            self.make_table(limits.seed);
        }
    }

    fn make_table(&mut self, seed: Seed) -> &mut Dict<Member> {
        if self.members().is_none() {
            let mut table = Dict::new(seed);
            for member in self.iter() {
                insert(&mut table, member.text(&mut itoa::Buffer::new()));
            }
            self.0 = Repr::Table(Box::new(table));
        }
        let Repr::Table(table) = &mut self.0 else { unreachable!("it has just become one") };
        table
    }
}

/// Adds a member to a table; `false` when it was one.
#[inline]
fn insert(table: &mut Dict<Member>, member: &[u8]) -> bool {
    let hash = table.hash(member);
    if table.find(hash, member).is_some() {
        return false;
    }
    table.insert_new(hash, Member::new((), member));
    true
}

/// Whether these integers together with this string may be a listpack. The largest and the smallest integer stand for all.
fn fits_listpack(ints: &Intset, string: &[u8], limits: &SetLimits) -> bool {
    let (longest, bytes) = [ints.first(), ints.last()].into_iter().flatten().fold((0, 0), |(longest, bytes), n| {
        let element = Listpack::element_bytes(itoa::Buffer::new().format(n).as_bytes());
        (number::len_i64(n).max(longest), (element * ints.len()).max(bytes))
    });
    ints.len() < limits.listpack_entries
        && string.len() <= limits.listpack_value
        && longest <= limits.listpack_value
        && bytes + string.len() <= BYTES_MAX
}

/// Members of a set.
pub struct Iter<'a>(Members<'a>);

enum Members<'a> {
    Ints(intset::Iter<'a>),
    Pack(listpack::Iter<'a>),
    Table(Box<dyn Iterator<Item = &'a Member> + 'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match &mut self.0 {
            Members::Ints(ints) => ints.next().map(Item::Int),
            Members::Pack(pack) => pack.next(),
            Members::Table(table) => table.next().map(|member| Item::Str(member.bytes())),
        }
    }
}
