//! What fairness promises: rules one by one, a model that tries everything, and a simulation that measures it.

mod model;
mod rules;
mod simulation;
mod world;
