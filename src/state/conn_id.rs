//! The name of a connection.

/// Names a connection: the reactor's slab key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

impl ConnId {
    /// What executes the commands of a file. There is no connection.
    pub const FILE: Self = Self(u32::MAX);
    /// What executes the commands of a script, on behalf of its caller. There is no connection.
    pub const SCRIPT: Self = Self(u32::MAX - 1);
    /// The client that has left while a script of its transaction was slow: what it asked for is done to its end. There is no connection any more.
    pub const LEFT: Self = Self(u32::MAX - 2);
}
