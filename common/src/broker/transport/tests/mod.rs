//! Frames made at random and broken at random, against the client library's own parser.

mod fuzz; // each by itself: it can be read, and nothing was changed that could be
mod made; // how they are made, and how they are broken
mod messages; // what is read of them is a message like any other
mod long; // headers that are longer than a frame may be
mod splits; // all together, read in pieces

use hookline_cases::Random;
