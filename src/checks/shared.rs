//! Queries of the facts that checks of several families share. No check is here.

pub mod access;
pub mod coverage;
pub mod driver_files;
pub mod explain_only;
pub mod faults;
pub mod init_fault;
pub mod lacking;
pub mod loading;
pub mod nodes;
pub mod platform;
pub mod visible_devices;
