//! Tests the service over loopback, with real requests.

#![allow(clippy::unwrap_used, reason = "tests")]

mod abuse;
mod access;
mod calibration;
mod captures;
mod clients;
mod cluster;
mod contract;
mod crowd;
mod deepface;
mod doors;
mod enrolled;
mod folder;
mod incident;
mod inspect;
mod large;
mod lockout;
mod observability;
mod openapi;
mod operations;
mod persons;
mod prometheus;
mod raw;
mod records;
mod reload;
mod replicas;
mod requests;
mod rights;
mod stateless;
mod support;
mod tenants;
