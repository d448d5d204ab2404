//! A model of Lua's stack for tests: values in a vector, tables as ordered lists.

use super::{Kind, Stack, number};
use std::{cell::RefCell, rc::Rc};

/// More slots than this a stack does not grow, as Lua's.
const SLOTS_MAX: usize = 8000;

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub pairs: Vec<(Value, Value)>,
    pub marked: bool,
}

#[derive(Clone, Debug)]
pub enum Value {
    Nil,
    Null,
    Boolean(bool),
    Number(f64),
    Bytes(Vec<u8>),
    Table(Rc<RefCell<Table>>),
    Function,
}

impl PartialEq for Value {
    /// Tables are equal when their contents are, in any order; a NaN equals a NaN.
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) | (Value::Null, Value::Null) | (Value::Function, Value::Function) => true,
            (Value::Boolean(a), Value::Boolean(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b || a.is_nan() && b.is_nan(),
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Table(a), Value::Table(b)) => {
                let (a, b) = (a.borrow(), b.borrow());
                a.marked == b.marked && a.pairs.len() == b.pairs.len() && a.pairs.iter().all(|pair| b.pairs.contains(pair))
            }
            _ => false,
        }
    }
}

pub fn number(value: f64) -> Value {
    Value::Number(value)
}

pub fn string(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

pub fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

pub fn table(pairs: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::Table(Rc::new(RefCell::new(Table { pairs: pairs.into_iter().collect(), marked: false })))
}

pub fn sequence(values: impl IntoIterator<Item = Value>) -> Value {
    table(values.into_iter().enumerate().map(|(at, value)| (number(at as f64 + 1.0), value)))
}

#[derive(Debug, Default)]
pub struct Model {
    values: Vec<Value>,
}

impl Model {
    pub fn with(arguments: &[Value]) -> Model {
        Model { values: arguments.to_vec() }
    }

    pub fn last(&self) -> Value {
        self.values.last().cloned().unwrap_or(Value::Nil)
    }

    pub fn results(&self, count: i32) -> Vec<Value> {
        self.values[self.values.len() - count as usize..].to_vec()
    }

    fn place(&self, index: i32) -> usize {
        if index > 0 { index as usize - 1 } else { self.values.len() - index.unsigned_abs() as usize }
    }

    fn at(&self, index: i32) -> &Value {
        self.values.get(self.place(index)).unwrap_or(&Value::Nil)
    }

    fn table(&self, index: i32) -> Rc<RefCell<Table>> {
        match self.at(index) {
            Value::Table(table) => table.clone(),
            other => panic!("not a table: {other:?}"),
        }
    }

    fn take(&mut self) -> Value {
        self.values.pop().expect("a value on the stack")
    }

    fn put(&mut self, value: Value) {
        assert!(self.values.len() < SLOTS_MAX + 20, "no room was made");
        self.values.push(value);
    }
}

impl Stack for Model {
    fn reserve(&mut self, slots: i32) -> bool {
        self.values.len() + slots as usize <= SLOTS_MAX
    }

    fn top(&self) -> i32 {
        self.values.len() as i32
    }

    fn kind(&self, index: i32) -> Kind {
        if index > self.top() {
            return Kind::None;
        }
        match self.at(index) {
            Value::Nil => Kind::Nil,
            Value::Null => Kind::Null,
            Value::Boolean(_) => Kind::Boolean,
            Value::Number(_) => Kind::Number,
            Value::Bytes(_) => Kind::String,
            Value::Table(_) => Kind::Table,
            Value::Function => Kind::Function,
        }
    }

    fn boolean(&self, index: i32) -> bool {
        !matches!(self.at(index), Value::Nil | Value::Boolean(false))
    }

    fn number(&self, index: i32) -> Option<f64> {
        match self.at(index) {
            Value::Number(value) => Some(*value),
            Value::Bytes(text) => {
                let text = text.trim_ascii();
                number::read_prefix(text).filter(|(_, len)| *len == text.len()).map(|(value, _)| value)
            }
            _ => None,
        }
    }

    fn bytes(&self, index: i32) -> &[u8] {
        match self.at(index) {
            Value::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    fn text(&mut self, index: i32) -> Option<&[u8]> {
        let place = self.place(index);
        if let Some(Value::Number(value)) = self.values.get(place) {
            let mut out = Vec::new();
            number::append_general(&mut out, *value, 14);
            self.values[place] = Value::Bytes(out);
        }
        match self.values.get(place) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn length(&self, index: i32) -> usize {
        let table = self.table(index);
        let table = table.borrow();
        (1..).take_while(|at| table.pairs.iter().any(|(key, _)| *key == number(f64::from(*at)))).count()
    }

    fn pop(&mut self, count: i32) {
        self.values.truncate(self.values.len() - count as usize);
    }

    fn push_nil(&mut self) {
        self.put(Value::Nil);
    }

    fn push_null(&mut self) {
        self.put(Value::Null);
    }

    fn push_boolean(&mut self, value: bool) {
        self.put(Value::Boolean(value));
    }

    fn push_number(&mut self, value: f64) {
        self.put(Value::Number(value));
    }

    fn push_bytes(&mut self, value: &[u8]) {
        self.put(Value::Bytes(value.to_vec()));
    }

    fn push_copy(&mut self, index: i32) {
        self.put(self.at(index).clone());
    }

    fn set_number(&mut self, index: i32, value: f64) {
        let place = self.place(index);
        self.values[place] = Value::Number(value);
    }

    fn push_table(&mut self) {
        self.put(table([]));
    }

    fn next(&mut self, index: i32) -> bool {
        let table = self.table(index);
        let key = self.take();
        let table = table.borrow();
        let at =
            if key == Value::Nil { 0 } else { table.pairs.iter().position(|(other, _)| *other == key).expect("a key of the table") + 1 };
        match table.pairs.get(at) {
            Some((key, value)) => {
                self.put(key.clone());
                self.put(value.clone());
                true
            }
            None => false,
        }
    }

    fn get_element(&mut self, index: i32, element: i32) {
        let table = self.table(index);
        let found = table.borrow().pairs.iter().find(|(key, _)| *key == number(f64::from(element))).map(|(_, value)| value.clone());
        self.put(found.unwrap_or(Value::Nil));
    }

    fn set_element(&mut self, index: i32, element: i32) {
        let table = self.table(index);
        let value = self.take();
        set(&mut table.borrow_mut(), number(f64::from(element)), value);
    }

    fn set(&mut self, index: i32) {
        let table = self.table(index);
        let value = self.take();
        let key = self.take();
        set(&mut table.borrow_mut(), key, value);
    }

    fn mark_array(&mut self) {
        self.table(-1).borrow_mut().marked = true;
    }

    fn is_marked_array(&self, index: i32) -> bool {
        self.table(index).borrow().marked
    }
}

fn set(table: &mut Table, key: Value, value: Value) {
    assert!(key != Value::Nil, "a key is not nil");
    match (table.pairs.iter().position(|(other, _)| *other == key), value) {
        (Some(at), Value::Nil) => drop(table.pairs.remove(at)),
        (None, Value::Nil) => {}
        (Some(at), value) => table.pairs[at].1 = value,
        (None, value) => table.pairs.push((key, value)),
    }
}
