//! How many streams of a database have a consumer that was active at another time than it was last seen. A stream knows whether it is counted, so
//! what is to be done when it goes or its consumers change is known without looking at them.

use crate::data::{
    entry::{Entry, Value},
    object::Object,
    stream::Stream,
};

/// The number of such streams.
#[derive(Default)]
pub(super) struct Apart(usize);

/// The stream that an entry holds.
#[inline(always)]
fn stream_of(entry: &Entry) -> Option<&Stream> {
    match entry.value() {
        Value::Object(Object::Stream(stream)) => Some(stream),
        _ => None,
    }
}

impl Apart {
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    pub fn len(&self) -> usize {
        self.0
    }

    /// A stream comes into the database.
    pub fn add(&mut self, stream: &Stream) {
        let counts = stream.has_apart();
        stream.count(counts);
        self.0 += usize::from(counts);
    }

    /// The consumers of an entry's stream have changed.
    pub fn update(&mut self, entry: &Entry) {
        if let Some(stream) = stream_of(entry)
            && stream.is_counted() != stream.has_apart()
        {
            self.forget(entry);
            self.add(stream);
        }
    }

    /// The value of an entry leaves the database.
    pub fn forget(&mut self, entry: &Entry) {
        if let Some(stream) = stream_of(entry)
            && stream.is_counted()
        {
            stream.count(false);
            self.0 -= 1;
        }
    }
}
