use super::challenge::Challenge;
use super::credentials::Credential;
use super::error::{OciProblem, quoted};
use super::reference::OciReference;
use super::wire::{Answer, Wire, may_lead};
use crate::sandbox::{Origin, origin_of};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;

/// How often one request may be sent on to another place; registries need one or two.
const REDIRECTS_MAX: usize = 3;
/// What a service may say when it hands out a token, and a registry when it complains.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// A program in the eyes of a service that hands out tokens.
const CLIENT: &str = concat!("flowmonkey/", env!("CARGO_PKG_VERSION"));

/// What is done with one repository, from the first request to the last: with one login, which goes to the
/// registry and to the service of tokens it names, and to nobody else.
pub(super) struct Session<'a> {
    wire: &'a Wire,
    reference: &'a OciReference,
    credential: Option<Credential>,
    wish: Wish,
    authorization: Option<HeaderValue>,
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Pull,
    Push,
}

/// One request: a path of the registry, headers, and a body.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(header::HeaderName, &'static str)>,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn new(method: Method, path: String) -> Self {
        Call { method, path, headers: Vec::new(), body: Bytes::new() }
    }

    pub(super) fn with(self, name: header::HeaderName, value: &'static str) -> Self {
        let headers = [self.headers.as_slice(), &[(name, value)]].concat();
        Call { headers, ..self }
    }

    fn request(
        &self,
        path: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<Request<Full<Bytes>>, OciProblem> {
        let mut builder =
            Request::builder().method(self.method.clone()).uri(path).header(header::USER_AGENT, CLIENT);
        for (name, value) in &self.headers {
            builder = builder.header(name, *value);
        }
        if let Some(authorization) = authorization {
            builder = builder.header(header::AUTHORIZATION, authorization);
        }
        let built = builder.body(Full::new(self.body.clone()));
        built
            .map_err(|error| OciProblem::Protocol(format!("no request can be made of what it says: {error}")))
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(
        wire: &'a Wire,
        reference: &'a OciReference,
        credential: Option<Credential>,
        wish: Wish,
    ) -> Self {
        Session { wire, reference, credential, wish, authorization: None }
    }

    /// Sends a request, logs in when that is asked for, and goes where a read is sent on to. What comes back
    /// has a status that only the caller can judge: success, or 404.
    pub(super) async fn call(&mut self, call: &Call) -> Result<Answer, OciProblem> {
        let origin = self.reference.origin();
        let mut answer =
            self.wire.send(origin, call.request(&call.path, self.authorization.as_ref())?).await?;
        if answer.head.status == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
            self.authorize(&answer).await?;
            answer = self.wire.send(origin, call.request(&call.path, self.authorization.as_ref())?).await?;
        }
        if answer.head.status.is_redirection() {
            answer = self.follow(call, answer).await?;
        }
        self.judge(answer).await
    }

    async fn follow(&self, call: &Call, mut answer: Answer) -> Result<Answer, OciProblem> {
        let mut from = self.reference.origin().clone();
        for _ in 0..REDIRECTS_MAX {
            if !matches!(call.method, Method::GET | Method::HEAD) {
                return Err(OciProblem::Protocol("it sends a write on to another place".to_owned()));
            }
            let location = answer.header("location").unwrap_or_default();
            let (to, path) = target(&from, location)?;
            // Whoever stores the bytes for a registry has no business with its login.
            let authorization = self.authorization.as_ref().filter(|_| to == *self.reference.origin());
            answer = self.wire.send(&to, call.request(&path, authorization)?).await?;
            if !answer.head.status.is_redirection() {
                return Ok(answer);
            }
            from = to;
        }
        Err(OciProblem::Protocol(format!("it sends a request on more than {REDIRECTS_MAX} times")))
    }

    async fn judge(&self, answer: Answer) -> Result<Answer, OciProblem> {
        let status = answer.head.status;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.not_let_in()),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(OciProblem::Unavailable(complaint(answer).await))
            }
            _ if status.is_server_error() => Err(OciProblem::Unavailable(complaint(answer).await)),
            StatusCode::NOT_FOUND => Ok(answer),
            _ if status.is_success() => Ok(answer),
            _ => Err(OciProblem::Protocol(complaint(answer).await)),
        }
    }

    fn not_let_in(&self) -> OciProblem {
        let registry = self.reference.registry().to_owned();
        match &self.credential {
            None => OciProblem::LoginMissing { registry },
            Some(_) => OciProblem::LoginRefused { registry, wish: self.wish.word() },
        }
    }

    async fn authorize(&mut self, answer: &Answer) -> Result<(), OciProblem> {
        let values = answer.head.headers.get_all(header::WWW_AUTHENTICATE);
        let challenge = Challenge::first(values.iter().filter_map(|value| value.to_str().ok()));
        let authorization = match (challenge, &self.credential) {
            (Some(Challenge::Bearer { realm, service }), _) => {
                format!("Bearer {}", self.token(&realm, service.as_deref()).await?)
            }
            (Some(Challenge::Basic), Some(Credential::Login(user, password))) => basic(user, password),
            (Some(Challenge::Basic), _) => return Err(self.not_let_in()),
            (None, _) => {
                let why = "it wants a login, and says in no way that is known which kind";
                return Err(OciProblem::Protocol(why.to_owned()));
            }
        };
        self.authorization = Some(secret(&authorization)?);
        Ok(())
    }

    /// A token for this repository and this wish, by the protocol that Docker's registry describes.
    async fn token(&self, realm: &str, service: Option<&str>) -> Result<String, OciProblem> {
        let (to, path) = target(self.reference.origin(), realm)?;
        let scope = format!("repository:{}:{}", self.reference.repository(), self.wish.actions());
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("scope", &scope);
        if let Some(service) = service {
            form.append_pair("service", service);
        }
        let (call, authorization) = match &self.credential {
            Some(Credential::Identity(token)) => {
                form.append_pair("grant_type", "refresh_token").append_pair("client_id", "flowmonkey");
                form.append_pair("refresh_token", token);
                let call = Call::new(Method::POST, path);
                let call = call.with(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                (Call { body: form.finish().into(), ..call }, None)
            }
            login => {
                let joint = if path.contains('?') { '&' } else { '?' };
                let call = Call::new(Method::GET, format!("{path}{joint}{}", form.finish()));
                let authorization = match login {
                    Some(Credential::Login(user, password)) => Some(secret(&basic(user, password))?),
                    _ => None,
                };
                (call, authorization)
            }
        };
        let answer = self.wire.send(&to, call.request(&call.path, authorization.as_ref())?).await?;
        let answer = self.judge(answer).await?;
        let text = answer.read("the answer with the token", ANSWER_BYTES_MAX).await?;
        let no_token = || OciProblem::Protocol("the service of its tokens hands out none".to_owned());
        let handed: Handed = serde_json::from_slice(&text).map_err(|_| no_token())?;
        handed.token.or(handed.access_token).filter(|token| !token.is_empty()).ok_or_else(no_token)
    }
}

impl Wish {
    fn word(self) -> &'static str {
        if self == Wish::Pull { "pull" } else { "push" }
    }

    fn actions(self) -> &'static str {
        if self == Wish::Pull { "pull" } else { "pull,push" }
    }
}

#[derive(serde::Deserialize)]
struct Handed {
    token: Option<String>,
    access_token: Option<String>,
}

#[derive(serde::Deserialize)]
struct Complaints {
    errors: Vec<Complaint>,
}

#[derive(serde::Deserialize)]
struct Complaint {
    code: String,
    message: Option<String>,
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A header's value that no log line shows.
fn secret(text: &str) -> Result<HeaderValue, OciProblem> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| OciProblem::Credentials("no header can hold it".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where a URL leads that somebody wrote who speaks for an origin, if it may lead there.
pub(super) fn target(from: &Origin, url: &str) -> Result<(Origin, String), OciProblem> {
    let wrong = |why: &str| OciProblem::Protocol(format!("it leads to {}, {why}", quoted(url)));
    let uri: Uri = url.parse().map_err(|_| wrong("which is no URL"))?;
    let to = match (uri.authority().is_some(), url.starts_with('/')) {
        (true, _) if uri.scheme().is_some() => {
            origin_of(&uri).ok_or_else(|| wrong("which is no place to go"))?
        }
        (false, true) => from.clone(),
        _ => return Err(wrong("which is no URL")),
    };
    if !may_lead(from, &to) {
        let why = "where nothing is fetched from: it is unencrypted, or this machine itself";
        return Err(wrong(why));
    }
    Ok((to, uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned()))
}

/// What a registry says went wrong, in one line.
pub(super) async fn complaint(answer: Answer) -> String {
    let status = answer.head.status;
    let said = answer.read("its complaint", ANSWER_BYTES_MAX).await.unwrap_or_default();
    let said: Option<Complaints> = serde_json::from_slice(&said).ok();
    match said.and_then(|said| said.errors.into_iter().next()) {
        Some(Complaint { code, message }) => {
            format!("{status}, {}", quoted(&format!("{code}: {}", message.unwrap_or_default())))
        }
        None => status.to_string(),
    }
}
