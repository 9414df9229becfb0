mod common;

use super::*;

/// Composed here, so that scanners do not find secrets in this project.
const BODY: &str = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzA1bC2dE3";

fn sample(prefix: &str) -> String {
    format!("{prefix}{}", &BODY[..36])
}

fn key(title: &str) -> String {
    format!("-----BEGIN {title}PRIVATE KEY-----\n{BODY}\n{BODY}\n-----END {title}PRIVATE KEY-----\n")
}

fn strings(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn common_images_have_none() {
    for line in common::ENVIRONMENT {
        assert_eq!(in_environment(&strings(&[line])), [], "{line}");
    }
    for line in common::HISTORY {
        assert_eq!(in_history(&strings(&[line])), [], "{line}");
    }
}

#[test]
fn environment() {
    use Kind::*;
    let (token, key) = (sample("hf_"), key("RSA "));
    let table = [
        ("HF_TOKEN", token.as_str(), Token),
        ("WANDB_API_KEY", &BODY[..40], Token),
        ("DJANGO_SECRET_KEY", "k!x#9-secret", Token),
        ("AWS_SECRET_ACCESS_KEY", BODY, CloudCredentials),
        ("AZURE_CLIENT_SECRET", BODY, CloudCredentials),
        ("DB_PASSWORD", "hunter2", Password),
        ("PGPASSWORD", "pa$$w0rd", Password),
        ("MYSQL_PWD", "hunter2", Password),
        ("HTTP_PROXY", "http://me:hunter2@proxy:3128", Password),
        ("PIP_INDEX_URL", "https://a1b2c3d4e5f6a7b8c9d0e1@host/simple", Token),
        ("DATABASE", "postgres://u:h%40x@db:5432/x", Password),
        ("DEPLOY_KEY", &key, PrivateKey),
        ("ANYTHING", &sample("ghp_"), Token),
        ("ANYTHING", &format!("AKIA{}", "Q7R2T5V8X1Z3B6D9"), CloudCredentials),
        ("ANYTHING", &sample("sk-proj-"), Token),
        ("ANYTHING", &sample("xoxb-1234-"), Token),
        ("ANYTHING", &sample("npm_"), RegistryCredentials),
        ("ANYTHING", &sample("pypi-AgEIcHlwaS5vcmc"), RegistryCredentials),
        ("ANYTHING", &format!("--x={},y", sample("glpat-")), Token),
    ];
    for (name, value, kind) in table {
        let found = in_environment(&[format!("{name}={value}")]);
        assert_eq!(found, [Secret { place: format!("ENV {name}"), kind }], "{name}={value}");
    }
}

#[test]
fn history() {
    use Kind::*;
    let (token, body) = (sample("ghp_"), &BODY[..30]);
    let table = [
        ("ARG PRIVATE_TOKEN=secret123".to_owned(), "ARG PRIVATE_TOKEN", Token),
        ("/bin/sh -c #(nop)  ARG PRIVATE_TOKEN=secret123".to_owned(), "ARG PRIVATE_TOKEN", Token),
        ("/bin/sh -c #(nop)  ENV A=b DB_PASSWORD=x1".to_owned(), "ENV DB_PASSWORD", Password),
        (format!("RUN |2 A=b TOKEN={body} /bin/sh -c make # buildkit"), "ARG TOKEN", Token),
        (format!("|1 TOKEN={body} /bin/sh -c make"), "ARG TOKEN", Token),
        (format!("RUN /bin/sh -c export HF_TOKEN=\"{body}\"; x"), "RUN HF_TOKEN", Token),
        (format!("RUN /bin/sh -c hf login --token {body} # buildkit"), "RUN token", Token),
        (format!("RUN /bin/sh -c docker build --build-arg API_KEY={body} ."), "RUN API_KEY", Token),
        (format!("CMD [\"serve\" \"--api-key\" \"{body}\"]"), "CMD api-key", Token),
        ("RUN /bin/sh -c docker login -u me --password=hunter2 host".to_owned(), "RUN password", Password),
        (
            "/bin/sh -c pip config set global.index-url https://me:hunter2@host/simple".to_owned(),
            "RUN",
            Password,
        ),
        (format!("RUN /bin/sh -c git clone https://{token}@github.com/a/b"), "RUN", Token),
        (format!("RUN /bin/sh -c curl 'https://host/x?private_token={body}'"), "RUN", Token),
        ("RUN /bin/sh -c echo 'root:Docker!' | chpasswd # buildkit".to_owned(), "RUN", Password),
        (format!("LABEL note={token}"), "LABEL", Token),
    ];
    for (line, what, kind) in table {
        let found = in_history(&["ENV A=b".to_owned(), line.clone()]);
        assert_eq!(found, [Secret { place: format!("history line 2 ({what})"), kind }], "{line}");
        for (cut, _) in line.char_indices() {
            let changed =
                ["", "=", "é", "|", "\0"].map(|other| format!("{}{other}{}", &line[..cut], &line[cut + 1..]));
            in_history(&changed);
            in_environment(&changed);
            in_history(&[line[..cut].to_owned()]);
        }
    }
}

#[test]
fn files() {
    use Kind::*;
    let (pem, body) = (key(""), &BODY[..36]);
    let google =
        format!("{{\"type\": \"service_account\", \"private_key\": \"{}\"}}", key("").replace('\n', "\\n"));
    let table = [
        (
            "/etc/pip.conf",
            "[global]\nindex-url = https://me:hunter2@host/simple\n".to_owned(),
            RegistryCredentials,
        ),
        (
            "/root/.config/uv/uv.toml",
            "[[index]]\nurl = \"https://me:hunter2@h\"".to_owned(),
            RegistryCredentials,
        ),
        ("/root/.condarc", format!("channels:\n  - https://h/t/{body}/x"), RegistryCredentials),
        ("/root/.netrc", "machine h\nlogin me\npassword hunter2".to_owned(), Password),
        ("/etc/apt/auth.conf", "machine h login me password hunter2".to_owned(), Password),
        ("/etc/apt/auth.conf.d/90x", "machine h login me password hunter2".to_owned(), Password),
        (
            "/root/.docker/config.json",
            format!("{{\"auths\":{{\"h\":{{\"auth\":\"{body}\"}}}}}}"),
            RegistryCredentials,
        ),
        ("/root/.npmrc", format!("//registry.npmjs.org/:_authToken={body}"), RegistryCredentials),
        ("/root/.pypirc", "[pypi]\nusername: me\npassword: hunter2".to_owned(), RegistryCredentials),
        ("/root/.git-credentials", "https://me:hunter2@github.com".to_owned(), Token),
        ("/app/.git/config", format!("\textraheader = AUTHORIZATION: basic {body}"), Token),
        ("/root/.aws/credentials", format!("[default]\naws_secret_access_key = {body}"), CloudCredentials),
        ("/root/.config/gcloud/application_default_credentials.json", google.clone(), CloudCredentials),
        ("/root/.kaggle/kaggle.json", format!("{{\"username\":\"me\",\"key\":\"{body}\"}}"), Token),
        ("/root/.cache/huggingface/token", sample("hf_"), Token),
        ("/root/.kube/config", format!("users:\n- user:\n    token: {body}"), CloudCredentials),
        ("/home/test/.netrc", "machine h\nlogin me\npassword hunter2".to_owned(), Password),
        ("/app/service-account-prod.json", google, CloudCredentials),
        ("/app/.env", "# none\nexport DB_PASSWORD='hunter2'".to_owned(), Password),
        ("/app/.env.production", format!("X={}", sample("sk-")), Token),
        ("/root/.ssh/id_ed25519", key("OPENSSH "), PrivateKey),
        ("/etc/ssh/ssh_host_rsa_key", key("RSA "), PrivateKey),
        ("/app/tls.key", pem, PrivateKey),
        ("/etc/shadow", "root:$6$abcdefgh$ijklmnop:1:0:::::".to_owned(), Password),
    ];
    for (path, content, kind) in table {
        assert!(wants(path), "{path}");
        assert_eq!(
            in_file(path, content.as_bytes()),
            Some(Secret { place: path.to_owned(), kind }),
            "{path}"
        );
        // Truncated and changed content must not panic.
        for cut in 0..content.len() {
            in_file(path, &content.as_bytes()[..cut]);
            let mut changed = content.clone().into_bytes();
            for byte in [0, b'"', b':', b'=', b'\n', 0xff] {
                changed[cut] = byte;
                in_file(path, &changed);
            }
        }
        assert_eq!(in_file(path, b""), None, "{path}");
    }
}

#[test]
fn files_without_secrets() {
    let table = [
        (
            "/etc/pip.conf",
            "[global]\nextra-index-url = https://download.pytorch.org/whl/cu124\n# https://me:pw1@h",
        ),
        ("/root/.docker/config.json", "{\"auths\": {\"h\": {}}, \"credHelpers\": {\"h\": \"ecr-login\"}}"),
        (
            "/root/.npmrc",
            "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\nregistry=https://registry.npmjs.org/",
        ),
        (
            "/app/.git/config",
            "[remote \"origin\"]\n\turl = https://github.com/a/b\n\turl = git@github.com:a/b.git",
        ),
        ("/app/.env", "DEBUG=1\nDB_PASSWORD=\nTOKEN=${TOKEN}"),
        ("/etc/shadow", "root:*:19000:0:99999:7:::\ndaemon:!:1::::::\nx::1"),
        ("/app/ca.pem", "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----"),
        ("/app/note.key", "a -----BEGIN PRIVATE KEY----- line begins it"),
        ("/etc/apt/sources.list", "deb https://deb.debian.org/debian bookworm main"),
        ("/root/.config/huggingface/token", "\n"),
    ];
    for (path, content) in table {
        assert!(wants(path), "{path}");
        assert_eq!(in_file(path, content.as_bytes()), None, "{path}");
    }
    let unwanted = [
        "",
        "/",
        "pip.conf",
        "/app/pip.conf.md",
        "/app/.env.example",
        "/app/env",
        "/etc/ssl/certs/ISRG_Root_X1.pem",
        "/v/lib/python3.11/site-packages/certifi/cacert.pem",
        "/app/tests/server.key",
        "/app/tests/.aws/credentials",
        "/app/tests/fixtures/.env",
        "/v/lib/python3.12/site-packages/google/auth/tests/data/service_account.json",
        "/usr/lib/python3.11/test/.netrc",
        "/etc/ssl/private/ssl-cert-snakeoil.key",
        "/usr/lib/python3.11/test/keycert.pem",
        "/root/.ssh/id_rsa.pub",
        "/usr/share/doc/x/key.pem",
        "/app/token",
    ];
    for path in unwanted {
        assert!(!wants(path), "{path}");
        assert_eq!(in_file(path, key("").as_bytes()), None, "{path}");
    }
}

/// No part of a value is in the result.
#[test]
fn values_are_never_shown() {
    let body = "Zq7Zq8Zq9Zq1Zq2Zq3Zq4Zq5Zq6Zq0Za1Zb2Zc3Zd4";
    let hf = format!("hf_{body}");
    let lines = [
        format!("HF_TOKEN={hf}"),
        format!("{hf}=x"),
        format!("{hf}_TOKEN={body}"),
        format!("PASSWORD={body}"),
        format!("URL=https://{body}:{body}@host/{body}"),
        format!(
            "RUN |1 TOKEN={body} /bin/sh -c x --password {body} --token a_token={body} https://u:{body}@h"
        ),
        format!("RUN x --password {body}_password={body}"),
        format!("ENV API_KEY=\"{body} {body}\""),
        format!("RUN curl https://h/?token={body}&my_token={body}"),
        format!("RUN echo root:{body} | chpasswd {hf}"),
    ];
    let mut found = in_environment(&lines);
    found.extend(in_history(&lines));
    for path in
        ["/root/.netrc", "/etc/pip.conf", "/a/.env", "/root/.huggingface/token", "/a/kaggle.json", "/a/x.key"]
    {
        for line in &lines {
            found.extend(in_file(path, format!("{line}\npassword {body}\nkey: {body}").as_bytes()));
            found.extend(in_file(path, key("").replace(BODY, body).as_bytes()));
        }
    }
    assert!(found.len() > 40, "{}", found.len());
    let shown = format!("{found:?} {found:#?} {}", serde_json::to_string(&found).unwrap());
    for length in [6, body.len()] {
        assert!(!shown.contains(&body[..length]), "{shown}");
    }
}

/// The cost of hostile lines is linear.
#[test]
fn hostile_lines_are_linear() {
    let parts = [
        "://",
        "-----BEGIN PRIVATE KEY",
        "sk-",
        "hf_",
        "a:b@",
        "--password ",
        "TOKEN=$",
        "?a=b&",
        "://a:b",
        "auth:$",
    ];
    for part in parts {
        let line = part.repeat(400_000 / part.len());
        let start = std::time::Instant::now();
        in_history(std::slice::from_ref(&line));
        in_environment(&[format!("A={line}")]);
        in_file("/root/.docker/config.json", line.as_bytes());
        assert!(start.elapsed().as_secs() < 10, "{part}: {:?}", start.elapsed());
    }
}
