//! Lua's stack of values as the libraries see it.

/// The type of a value. Light userdata of address 0 is `cjson.null`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    None,
    Nil,
    Boolean,
    Null,
    LightUserdata,
    Number,
    String,
    Table,
    Function,
    Userdata,
    Thread,
}

impl Kind {
    /// The name as Lua's messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::None => "no value",
            Kind::Nil => "nil",
            Kind::Boolean => "boolean",
            Kind::Null | Kind::LightUserdata | Kind::Userdata => "userdata",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Thread => "thread",
        }
    }
}

/// Why a library's function gives up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A message to which the caller's source and line are prepended.
    Error(String),
    /// The same with bytes of the script's in it, which may be no UTF-8.
    ErrorBytes(Vec<u8>),
    /// What is wrong with an argument, counted from 1 (0: the arguments as a whole). There may be bytes of the script's in it.
    Argument(i32, Vec<u8>),
    /// A message that stays as it is.
    Plain(String),
    /// The script is to end; the engine knows why.
    Stopped,
}

impl Fault {
    /// An argument that is not of the expected type.
    pub fn wrong_type(argument: i32, expected: &str, found: Kind) -> Fault {
        Fault::Argument(argument, format!("{expected} expected, got {}", found.name()).into_bytes())
    }
}

/// Lua's stack. Indexes are Lua's: from 1 at the bottom of the function's frame, from -1 at the top. None of these calls looks at
/// metatables, except for the two of the array mark.
pub trait Stack {
    /// Makes room for `slots` more values; false if the stack cannot grow so far.
    fn reserve(&mut self, slots: i32) -> bool;
    /// How many values the frame has.
    fn top(&self) -> i32;
    fn kind(&self, index: i32) -> Kind;
    /// False for nil and false, else true.
    fn boolean(&self, index: i32) -> bool;
    /// A number, or a string that reads as one.
    fn number(&self, index: i32) -> Option<f64>;
    /// The bytes of a string; empty for anything else.
    fn bytes(&self, index: i32) -> &[u8];
    /// The bytes of a string or of a number, which is made a string in its place.
    fn text(&mut self, index: i32) -> Option<&[u8]>;
    /// The length of a table's sequence, as the operator `#` has it.
    fn length(&self, index: i32) -> usize;

    /// Bytes that a result which is made beside the stack may have.
    fn room(&self) -> usize {
        usize::MAX
    }

    fn pop(&mut self, count: i32);
    fn push_nil(&mut self);
    fn push_null(&mut self);
    fn push_boolean(&mut self, value: bool);
    fn push_number(&mut self, value: f64);
    fn push_bytes(&mut self, value: &[u8]);
    fn push_copy(&mut self, index: i32);
    /// Replaces a value of the frame by a number.
    fn set_number(&mut self, index: i32, value: f64);
    /// An empty table, with nothing made ready: the order in which a script meets its fields depends on how it has grown.
    fn push_table(&mut self);

    /// Takes a key from the top and puts the table's next key and value there; at the end only takes it and says false.
    fn next(&mut self, table: i32) -> bool;
    /// Pushes an element of a table.
    fn get_element(&mut self, table: i32, element: i32);
    /// Takes a value from the top and makes it an element of a table.
    fn set_element(&mut self, table: i32, element: i32);
    /// Takes a value and, below it, a key from the top and puts them into a table. The key is neither nil nor NaN.
    fn set(&mut self, table: i32);

    /// Puts the table that is read through the one on top in its place, if that is empty and protects another.
    fn look_behind(&mut self) {}

    /// Marks the table on top as an array also when it is empty: a metatable with `__is_cjson_array`.
    fn mark_array(&mut self);
    /// Whether the table's metatable has `__is_cjson_array`.
    fn is_marked_array(&self, index: i32) -> bool;
}
