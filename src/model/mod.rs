//! Values every stage speaks. Nothing flows through here: no files, no clock, no sockets, no other module of this crate.

mod action;
mod body;
mod class;
mod diagnostic;
mod entity;
mod event;
mod peer;
mod principal;
mod selection;
mod selector;
mod sensitive;
mod storage;
mod time;
mod view;

pub use action::{Action, UnknownAction};
pub use body::{Batch, BodyFormat, BodyMap, Column, Delimiter, FieldRule, Files, Leaf};
pub use class::{Class, ClassId, ClassSet, ClassTable, FREE_TEXT, MaskStyle, TooManyClasses};
pub use diagnostic::{Diagnostic, Position, Problem};
pub use entity::Entity;
pub use event::{
    AccessEvent, AccessKind, Actor, Effect, Event, EventDecision, Lifecycle, Operation, Outcome, Purpose, Sighting,
    Subject, SubjectId, Verified,
};
pub use peer::{ClientAuth, ClientCertificate, NoCertificate, Peer, Protocol};
pub use principal::{Kind, Principal, Training, UnknownKind, Via};
pub use selection::{Selected, Selection};
pub use selector::{Selector, SelectorError, Step};
pub use sensitive::Sensitive;
pub use storage::{KeyScope, Linkage, Mode, Normaliser, Phase, Storage, SubjectRef, TokenShape};
pub use time::Timestamp;
pub use view::{UnknownView, View, Views};
