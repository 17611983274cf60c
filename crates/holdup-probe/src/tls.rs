//! TLS: the system's roots, or no check at all.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// A connector for HTTP/1.1, or the reason why there is none.
pub(super) fn connector(insecure: bool) -> Result<TlsConnector, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if insecure {
        Arc::new(Unverified(provider.signature_verification_algorithms))
    } else {
        verifier(&provider)?
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?;
    // "Dangerous" is what rustls calls any verifier of one's own.
    let mut config = config
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP1.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The same connector, which offers HTTP/2 as well: a server that does not know it takes HTTP/1.1.
pub(super) fn offering_http2(connector: &TlsConnector) -> TlsConnector {
    let mut config = ClientConfig::clone(connector.config());
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// The names of the protocols in TLS (RFC 7301).
pub(super) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

fn verifier(provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let known = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    known.build().map_err(|_| {
        format!(
            "{UNVERIFIED}, because this system has no root certificates (on Debian: apt-get install \
             ca-certificates)"
        )
    })
}

/// The beginning of the failures that accepting any certificate avoids.
const UNVERIFIED: &str = "the certificate does not verify";

/// Whether a failure is about a certificate that is not trusted.
pub(super) fn is_about_trust(failure: &str) -> bool {
    failure.starts_with(UNVERIFIED)
}

/// Why a handshake failed, in plain words.
pub(super) fn failure(error: &Error) -> String {
    let Error::InvalidCertificate(cause) = error else {
        return format!("no TLS: {error}");
    };
    let cause = match cause {
        CertificateError::UnknownIssuer => {
            "it is self-signed, or of an authority that this system does not know".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        // rustls reports an authority's certificate that is used for a server this way. `openssl req -x509`
        // makes such certificates by default.
        CertificateError::Other(_) => "it is self-signed, or not issued for a server".to_owned(),
        other => other.to_string(),
    };
    format!("{UNVERIFIED}: {cause}")
}

/// Accepts any certificate, as long as the server holds its key.
#[derive(Debug)]
struct Unverified(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
