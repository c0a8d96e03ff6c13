//! Signatures of components: Ed25519 over the text `sha256:DIGEST`, so that `openssl pkeyutl -sign -rawin` can make
//! them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::path::{Path, PathBuf};

/// A key's file is read up to here; a larger one is no key.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

/// The keys of which one must have signed a component. None: nothing is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys {
    keys: Vec<VerifyingKey>,
}

/// `[signatures]` as it is written in the runner's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct WrittenSignatures {
    keys: Vec<WrittenKey>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged, expecting = "write a public key in PEM form, or { file = \"PATH\" }")]
enum WrittenKey {
    Pem(String),
    Source(KeySource),
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum KeySource {
    File(PathBuf),
}

/// Why a component may not be used. Each but [`SignatureError::Digest`] is the signature's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature, and the policy asks for one.
    #[error(
        "is not signed, and [signatures] of the runner's settings asks for a signature by one of its keys"
    )]
    Unsigned,
    /// The signature is no signature.
    #[error("has a signature that is none: {0}")]
    Malformed(String),
    /// None of the keys has made it.
    #[error(
        "has a signature that none of the {keys} keys of [signatures] has made for this component: it is by \
         another key, or of another component"
    )]
    Untrusted {
        /// How many keys there are.
        keys: usize,
    },
    /// What was to be checked is no digest.
    #[error("{0:?} is no SHA-256 digest of 64 hexadecimal digits in lower case")]
    Digest(String),
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key is none.
    #[error(
        "this is no Ed25519 private key in PEM form (PKCS#8), as `openssl genpkey -algorithm ed25519` makes it"
    )]
    Key,
    /// What was to be signed is no digest.
    #[error("{0:?} is no SHA-256 digest of 64 hexadecimal digits in lower case")]
    Digest(String),
}

impl WrittenSignatures {
    /// Reads the keys.
    ///
    /// # Errors
    /// Names the key by its file, or by its place in the list.
    pub fn resolve(&self) -> Result<TrustedKeys, String> {
        let key = |(at, written): (usize, &WrittenKey)| match written {
            WrittenKey::Pem(text) => {
                public_key(text).map_err(|why| format!("keys: number {}: {why}", at + 1))
            }
            WrittenKey::Source(KeySource::File(path)) => {
                let key = read(path).and_then(|text| public_key(&text));
                key.map_err(|why| format!("keys: {}: {why}", path.display()))
            }
        };
        let keys = self.keys.iter().enumerate().map(key).collect::<Result<_, _>>()?;
        Ok(TrustedKeys { keys })
    }
}

fn read(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > KEY_FILE_BYTES_MAX {
        return Err(format!("a key has at most {KEY_FILE_BYTES_MAX} bytes, this file has {length}"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

fn public_key(pem: &str) -> Result<VerifyingKey, String> {
    if pem.contains("PRIVATE KEY") {
        return Err("this is a private key; give its public one (`openssl pkey -pubout`)".into());
    }
    let key = VerifyingKey::from_public_key_pem(pem.trim());
    let key = key.map_err(|_| "no Ed25519 public key in PEM form, as `openssl pkey -pubout` writes it")?;
    // Everybody can make signatures that fit such a key.
    if key.is_weak() { Err("this key is weak: anybody could sign for it".into()) } else { Ok(key) }
}

impl TrustedKeys {
    /// Whether signatures are asked for at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a component may be used, by its digest (SHA-256, 64 hexadecimal digits in lower case) and its signature
    /// in Base64. Without keys everything may.
    ///
    /// # Errors
    /// [`SignatureError`] says what is wrong, as the end of a sentence that begins with the component.
    pub fn check(&self, digest: &str, signature: Option<&str>) -> Result<(), SignatureError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let signed = signed_text(digest).ok_or_else(|| SignatureError::Digest(cut(digest)))?;
        let signature = parse(signature.ok_or(SignatureError::Unsigned)?)?;
        let fits = |key: &VerifyingKey| key.verify_strict(signed.as_bytes(), &signature).is_ok();
        let keys = self.keys.len();
        if self.keys.iter().any(fits) { Ok(()) } else { Err(SignatureError::Untrusted { keys }) }
    }
}

fn parse(signature: &str) -> Result<Signature, SignatureError> {
    /// 88 characters, and what line breaks there may be.
    const CHARS_MAX: usize = 200;
    let wrong = |why: String| SignatureError::Malformed(why);
    if signature.len() > CHARS_MAX {
        return Err(wrong(format!("{} characters, where 88 are expected", signature.len())));
    }
    let text: String = signature.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(text).map_err(|error| wrong(format!("not Base64: {error}")))?;
    let length = bytes.len();
    Signature::from_slice(&bytes).map_err(|_| wrong(format!("{length} bytes, where 64 are expected")))
}

/// Signs a component's digest (SHA-256, 64 hexadecimal digits in lower case) with an Ed25519 private key in PEM form
/// (PKCS#8). The signature is in Base64.
///
/// # Errors
/// When the key is none, or the digest.
pub fn sign(private_key_pem: &str, digest: &str) -> Result<String, SignError> {
    let signed = signed_text(digest).ok_or_else(|| SignError::Digest(cut(digest)))?;
    let key = SigningKey::from_pkcs8_pem(private_key_pem.trim()).map_err(|_| SignError::Key)?;
    Ok(STANDARD.encode(key.sign(signed.as_bytes()).to_bytes()))
}

/// What is signed, without a line's end.
fn signed_text(digest: &str) -> Option<String> {
    let is_digest =
        digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_digest.then(|| format!("sha256:{digest}"))
}

fn cut(digest: &str) -> String {
    digest.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Made for these lines with `openssl genpkey -algorithm ed25519`; signs nothing else.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIBWgacvg4hTjNaW9DPYopId/MAvuBDE4F5Y0kBuw6Ky/\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAh0nAZt/2Ac22lZ3dvRU4QkeoCOW9iY5qjU3uJ7YSpys=\n-----END PUBLIC KEY-----\n";
    const OTHER: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAXt+DEMSBLKdXmJxGakB6tnDviLDhvY/pmcvHxmNV7nk=\n-----END PUBLIC KEY-----\n";
    /// By `openssl pkeyutl -sign -rawin` for the digest of 64 times `a`.
    const SIGNATURE: &str =
        "L7vwB7IHfiBkjTUm7YZd/OmosrzqFJpIHc0Luqza6qLSvxpuDi6G/LBBxeYsAC3dZcPFDHWubQcGhM08TLpoBA==";

    fn digest() -> String {
        "a".repeat(64)
    }

    fn trusted(toml: &str) -> Result<TrustedKeys, String> {
        let written: WrittenSignatures = toml::from_str(toml).map_err(|error| error.to_string())?;
        written.resolve()
    }

    fn keys(pems: &[&str]) -> TrustedKeys {
        trusted(&format!("keys = {}", serde_json::json!(pems))).unwrap()
    }

    #[test]
    fn what_a_trusted_key_has_signed_may_be_used() {
        for trusted in [keys(&[PUBLIC]), keys(&[OTHER, PUBLIC])] {
            assert_eq!(trusted.check(&digest(), Some(SIGNATURE)), Ok(()));
            let broken = format!("{}\n{}\n", &SIGNATURE[..64], &SIGNATURE[64..]);
            assert_eq!(trusted.check(&digest(), Some(&broken)), Ok(()), "as `openssl base64` breaks lines");
        }
        assert_eq!(sign(PRIVATE, &digest()).as_deref(), Ok(SIGNATURE));
    }

    #[test]
    fn without_keys_nothing_is_asked_for() {
        let nobody = TrustedKeys::default();
        assert!(
            nobody.is_empty()
                && nobody.check(&digest(), None).is_ok()
                && nobody.check("x", Some("?")).is_ok()
        );
        assert_eq!(trusted("keys = []"), Ok(nobody));
    }

    #[test]
    fn whatever_else_is_refused_each_by_its_reason() {
        let trusted = keys(&[PUBLIC]);
        let untrusted = || SignatureError::Untrusted { keys: 1 };
        assert_eq!(trusted.check(&digest(), None), Err(SignatureError::Unsigned));
        assert_eq!(trusted.check(&"b".repeat(64), Some(SIGNATURE)), Err(untrusted()), "of another component");
        assert_eq!(keys(&[OTHER]).check(&digest(), Some(SIGNATURE)), Err(untrusted()), "by another key");
        let mut bytes = STANDARD.decode(SIGNATURE).unwrap();
        bytes[7] ^= 1;
        assert_eq!(trusted.check(&digest(), Some(&STANDARD.encode(&bytes))), Err(untrusted()));
        let zeros = STANDARD.encode([0; 64]);
        assert_eq!(trusted.check(&digest(), Some(&zeros)), Err(untrusted()));
        let long = "A".repeat(1 << 20);
        for text in ["", "?", "QUJD", &SIGNATURE[..87], &long, &format!("{SIGNATURE}AAAA"), "é"] {
            let error = trusted.check(&digest(), Some(text)).unwrap_err();
            let shown: String = text.chars().take(99).collect();
            assert!(matches!(error, SignatureError::Malformed(_)), "{shown}: {error}");
            assert!(error.to_string().len() < 200, "{error}");
        }
        for text in ["", "a", &"A".repeat(64), &"g".repeat(64), &format!("sha256:{}", digest()), &long] {
            assert!(
                matches!(trusted.check(text, Some(SIGNATURE)), Err(SignatureError::Digest(_))),
                "{text:.99}"
            );
            assert!(matches!(sign(PRIVATE, text), Err(SignError::Digest(_))));
        }
    }

    #[test]
    fn a_key_that_is_none_is_named() {
        let path = std::env::temp_dir().join(format!("flowmonkey-key-{}", uuid::Uuid::now_v7()));
        std::fs::write(&path, format!("\n{PUBLIC}\n")).unwrap();
        let file = |path: &Path| format!("keys = [{{ file = '{}' }}]", path.display());
        assert_eq!(trusted(&file(&path)), Ok(keys(&[PUBLIC])));
        std::fs::write(&path, "x").unwrap();
        let error = trusted(&file(&path)).unwrap_err();
        assert!(error.contains(path.to_str().unwrap()) && error.contains("openssl pkey -pubout"), "{error}");
        std::fs::write(&path, "x".repeat(20_000)).unwrap();
        assert!(trusted(&file(&path)).unwrap_err().contains("at most 16384 bytes"));
        std::fs::remove_file(&path).unwrap();
        assert!(trusted(&file(&path)).unwrap_err().contains("No such file"));
        // The neutral element: every signature of zeros would fit.
        let mut weak = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x01".to_vec();
        weak.resize(44, 0);
        let weak = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(weak));
        let table = [
            (serde_json::json!([PUBLIC, "no key"]), "number 2: no Ed25519 public key"),
            (serde_json::json!([PRIVATE]), "number 1: this is a private key"),
            (serde_json::json!([weak]), "number 1: this key is weak"),
        ];
        for (keys, part) in table {
            let error = trusted(&format!("keys = {keys}")).unwrap_err();
            assert!(error.contains(part) && !error.contains("BWgacvg4hTj"), "{error}");
        }
        for toml in ["keys = [5]", "keys = [{ env = 'X' }]"] {
            assert!(trusted(toml).unwrap_err().contains("write a public key in PEM form"), "{toml}");
        }
        assert!(trusted("key = []").unwrap_err().contains("unknown field `key`"));
        assert_eq!(sign(PUBLIC, &digest()), Err(SignError::Key));
        assert_eq!(sign("", &digest()), Err(SignError::Key));
    }

    /// As somebody would do it who has no flowmonkey: a key, a signature, a check, in both directions.
    #[test]
    fn openssl_makes_and_checks_the_same_signatures() {
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("openssl_makes_and_checks_the_same_signatures: skipped, there is no openssl here");
            return;
        }
        let folder = std::env::temp_dir().join(format!("flowmonkey-openssl-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        let digest = "0123456789abcdef".repeat(4);
        let script = format!(
            "set -e; openssl genpkey -algorithm ed25519 -out key.pem
            openssl pkey -in key.pem -pubout -out public.pem
            printf %s sha256:{digest} > signed
            openssl pkeyutl -sign -rawin -inkey key.pem -in signed | openssl base64 > signature"
        );
        let run = |script: &str| {
            let output = Command::new("sh").args(["-c", script]).current_dir(&folder).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        run(&script);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let trusted = keys(&[&read("public.pem")]);
        assert_eq!(trusted.check(&digest, Some(&read("signature"))), Ok(()));
        let ours = sign(&read("key.pem"), &digest).unwrap();
        std::fs::write(folder.join("ours"), STANDARD.decode(ours).unwrap()).unwrap();
        run("openssl pkeyutl -verify -rawin -pubin -inkey public.pem -in signed -sigfile ours");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
