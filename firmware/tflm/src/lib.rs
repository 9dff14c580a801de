//! Empty: the package exists for its dependency, whose sources are what is wanted (see Cargo.toml).
