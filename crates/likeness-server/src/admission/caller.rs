//! The client of a request and its rights. Admission reads them from the key once, and handlers check them.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header};

use super::address::counted;
use crate::form::unlike;
use crate::problem::{Code, Problem};
use crate::routes::Scope;
use crate::store::{ApiKey, BadId, Grant, Scopes, Source, Tenant};

/// The tenant of requests that name none.
const DEFAULT_TENANT: &str = "default";

/// The client of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The only tenant of the key; `None` means every tenant.
    tenant: Option<Tenant>,
    scopes: Scopes,
    /// The id of the key; empty for a request without a key.
    key: String,
    /// The address under which limits count.
    address: IpAddr,
}

impl Caller {
    /// Returns the caller if no key was ever created: a user of this machine, with every right.
    pub fn anybody(from: IpAddr) -> Self {
        Self { tenant: None, scopes: Scopes::all(), key: String::new(), address: counted(from) }
    }

    /// Returns the caller with this key.
    pub fn of(key: &ApiKey, from: IpAddr) -> Self {
        let Grant { tenant, scopes, .. } = &key.grant;
        Self { tenant: tenant.clone(), scopes: *scopes, key: key.id.clone(), address: counted(from) }
    }

    /// Returns the key and the address under which failures are counted.
    pub fn source(&self) -> Source<'_> {
        Source { key: &self.key, address: self.address }
    }

    /// Returns whether the key is valid for this tenant.
    pub fn sees(&self, tenant: &Tenant) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
    }

    /// Returns the tenant that the request names, otherwise the key's tenant, otherwise `default`.
    ///
    /// # Errors
    /// `INVALID_INPUT` if the text is no id; `FORBIDDEN` if it differs from the key's tenant.
    pub fn tenant(&self, requested: Option<&str>) -> Result<Tenant, Problem> {
        let id = |id| Tenant::new(id).map_err(|_| unlike("tenant_id", BadId::EXPECTED, id));
        match (requested.map(id).transpose()?, &self.tenant) {
            (Some(requested), Some(own)) if requested != *own => {
                Err(Problem::new(Code::Forbidden, "this key is bound to another tenant"))
            }
            (None, Some(own)) => Ok(own.clone()),
            (Some(requested), _) => Ok(requested),
            (None, None) => id(DEFAULT_TENANT),
        }
    }

    /// Returns the key's id and its only tenant.
    pub fn key(&self) -> (&str, Option<&str>) {
        (&self.key, self.tenant.as_ref().map(Tenant::as_str))
    }

    /// Returns whether this caller may read the records of requests with a key of this tenant.
    pub fn may_see(&self, tenant: Option<&str>) -> bool {
        self.tenant.as_ref().is_none_or(|own| Some(own.as_str()) == tenant)
    }

    /// Checks that the caller has this scope.
    ///
    /// # Errors
    /// `FORBIDDEN`
    pub fn allow(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.allow(scope) {
            return Ok(());
        }
        let message = format!("this key lacks the scope `{}`", scope.name());
        Err(lacking(scope, message))
    }
}

/// Returns the problem for a key without a scope that the request needs.
pub fn lacking(scope: Scope, message: impl Into<String>) -> Problem {
    Problem::new(Code::Forbidden, message).with("scope", scope.name())
}

/// Returns the key in `Authorization: Bearer KEY`, otherwise in the header of this name.
pub fn key_of<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, key)| key);
    let own = || headers.get(name)?.to_str().ok();
    bearer.or_else(own).map(str::trim).filter(|key| !key.is_empty())
}

/// Returns the problem for a request without a key (`None`) or with a key that is not valid; `name` is the header for
/// keys.
pub fn unknown(found: Option<&str>, name: &str) -> Problem {
    let message = match found {
        None => format!("expected a key in `Authorization: Bearer KEY` or in `{name}: KEY`, found none"),
        Some(_) => "the key is unknown, revoked or expired".to_owned(),
    };
    Problem::new(Code::Unauthorized, message)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"likeness\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(tenant: Option<Tenant>, scopes: Scopes) -> Caller {
        let grant = Grant { tenant, scopes, expires_at: None, per_minute: None };
        let key = ApiKey { id: "id".into(), grant, made_at: 0, revoked_at: None };
        Caller::of(&key, std::net::Ipv4Addr::LOCALHOST.into())
    }

    #[test]
    fn a_bound_key_means_its_own_tenant_and_no_other() {
        let bound = |tenant: Option<&str>| {
            let tenant = tenant.map(|id| Tenant::new(id).unwrap());
            caller(tenant, Scopes::all())
        };
        let table = [
            (Some("a"), None, Ok("a")),
            (Some("a"), Some("a"), Ok("a")),
            (Some("a"), Some("b"), Err(Code::Forbidden)),
            (Some("a"), Some("A"), Err(Code::Forbidden)),
            (Some("a"), Some("a b"), Err(Code::InvalidInput)),
            (None, None, Ok("default")),
            (None, Some("b"), Ok("b")),
            (None, Some(""), Err(Code::InvalidInput)),
        ];
        let wrong: Vec<_> = table
            .into_iter()
            .filter(|(own, tenant, expected)| {
                let found = bound(*own).tenant(*tenant);
                found.as_ref().map(Tenant::as_str).map_err(Problem::code) != *expected
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_scope_that_was_not_granted_is_refused() {
        let mut wrong = Vec::new();
        for (granted, _) in Scope::ALL {
            let scopes: Scopes = granted.parse().unwrap();
            let caller = caller(None, scopes);
            for (name, scope) in Scope::ALL {
                let expected =
                    name == granted || (granted == "admin" && ["delete", "replace", "persons"].contains(&name));
                let found = caller.allow(scope).map_err(|problem| problem.code());
                if found != if expected { Ok(()) } else { Err(Code::Forbidden) } {
                    wrong.push((granted, name, found));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn keys_are_found_in_both_headers_and_other_credentials_are_none() {
        type Row = (&'static [(&'static str, &'static str)], Option<&'static str>);
        let table: [Row; 6] = [
            (&[("authorization", "Bearer lk_a_b")], Some("lk_a_b")),
            (&[("authorization", "bearer  lk_a_b ")], Some("lk_a_b")),
            (&[("authorization", "Basic eDp5"), ("x-api-key", "k")], Some("k")),
            (&[("x-api-key", " k ")], Some("k")),
            (&[("authorization", "Bearer "), ("x-api-key", "")], None),
            (&[], None),
        ];
        for (headers, expected) in table {
            let named = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            assert_eq!(key_of(&named.collect(), "X-API-Key"), expected, "{headers:?}");
        }
    }
}
