//! The server's own certificate: read from two files, and read again while the server runs. Clients
//! show none; they have tokens.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The section `server.tls`; without files the server speaks plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TlsFiles {
    /// The certificate and those that lead from it to its authority, PEM.
    pub cert_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub key_file: Option<PathBuf>,
}

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// One file without the other.
    #[error("server.tls.{given} is set and server.tls.{missing} is not; set both, or none")]
    Half {
        /// The key that is set.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read server.tls.{key} {}: {reason}", path.display())]
    File {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says, or what is wrong with its text.
        reason: pem::Error,
    },
    /// Nothing is in it.
    #[error("server.tls.certFile {} holds no certificate; it is PEM, with `BEGIN CERTIFICATE`", .0.display())]
    Empty(PathBuf),
    /// Certificate and key do not go together, or are of a kind that is not known.
    #[error("server.tls: {} and {} cannot be used: {reason}", cert.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        cert: PathBuf,
        /// That of the key.
        key: PathBuf,
        /// What is wrong.
        reason: rustls::Error,
    },
}

impl TlsFiles {
    /// Both files; `None` for plain HTTP.
    ///
    /// # Errors
    /// When there is one without the other.
    pub fn both(&self) -> Result<Option<(&Path, &Path)>, TlsError> {
        match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(TlsError::Half { given: "certFile", missing: "keyFile" }),
            (None, Some(_)) => Err(TlsError::Half { given: "keyFile", missing: "certFile" }),
        }
    }

    /// What the files hold.
    fn read(&self) -> Result<Option<Arc<ServerConfig>>, TlsError> {
        let Some((cert, key)) = self.both()? else { return Ok(None) };
        let broken = |key, path: &Path| {
            let path = path.to_owned();
            move |reason| TlsError::File { key, path: path.clone(), reason }
        };
        let of_cert = broken("certFile", cert);
        let chain = CertificateDer::pem_file_iter(cert).map_err(&of_cert)?;
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(&of_cert)?;
        if chain.is_empty() {
            return Err(TlsError::Empty(cert.to_owned()));
        }
        let private = PrivateKeyDer::from_pem_file(key).map_err(broken("keyFile", key))?;
        let unusable =
            |reason| TlsError::Unusable { cert: cert.to_owned(), key: key.to_owned(), reason };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
        let builder = builder.with_no_client_auth();
        let mut config = builder.with_single_cert(chain, private).map_err(unusable)?;
        // As without TLS: HTTP/1.1 alone.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Arc::new(config)))
    }
}

/// The certificate in force; clones share it.
#[derive(Debug, Clone)]
pub struct Certificate {
    files: TlsFiles,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl Certificate {
    /// Reads the files; `None` for plain HTTP.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn read(files: &TlsFiles) -> Result<Option<Self>, TlsError> {
        let current = files.read()?.map(|config| Arc::new(RwLock::new(config)));
        Ok(current.map(|current| Self { files: files.clone(), current }))
    }

    /// Reads the files again. Connections that are open go on as they began.
    ///
    /// # Errors
    /// Why they cannot be used; then the old certificate stays.
    pub fn read_again(&self) -> Result<(), TlsError> {
        if let Some(config) = self.files.read()? {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        }
        Ok(())
    }

    /// For a new connection.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests;
