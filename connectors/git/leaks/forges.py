"""Rules about code hosts, package registries and build services; formats as the providers document them."""

from __future__ import annotations

from typing import Final

from connectors.git.leaks.checks import has_base62_checksum
from connectors.git.leaks.model import Rule
from connectors.git.leaks.shapes import ALNUM, BASE64, HEX, LOWER, UUID, WORD, assigned, span, token

_GITHUB: Final = span("A-Za-z0-9_", 36, 251)
_JWT: Final = r"[\w-]{1,1000}+\.[\w-]{1,4000}+\.[\w-]{1,1000}+"

FORGES: Final[tuple[Rule, ...]] = (
    token("github-personal-access-token", "ghp_", _GITHUB, check=has_base62_checksum),
    token("github-fine-grained-token", "github_pat_", rf"[{ALNUM}]{{22}}_{span(ALNUM, 59)}"),
    token("github-oauth-token", "gho_", _GITHUB, check=has_base62_checksum),
    token("github-user-token", "ghu_", _GITHUB, check=has_base62_checksum),
    token("github-installation-token", "ghs_", rf"(?:{_JWT}|{_GITHUB})", check=has_base62_checksum),
    token("github-refresh-token", "ghr_", _GITHUB, check=has_base62_checksum),
    token("gitlab-personal-access-token", "glpat-", span(f"{WORD}.", 20, 300)),
    token("gitlab-deploy-token", "gldt-", span(f"{WORD}.", 20, 300)),
    token("gitlab-runner-token", "glrt- glrtr-", span(f"{WORD}.", 20, 300)),
    token("gitlab-runner-registration-token", "GR1348941", span(WORD, 20, 50)),
    token("gitlab-trigger-token", "glptt-", span(f"{WORD}.", 40, 300)),
    token("gitlab-feed-token", "glft-", span(f"{WORD}.", 20, 300)),
    token("gitlab-oauth-secret", "gloas-", span(WORD, 64)),
    token("gitlab-agent-token", "glagent-", span(f"{WORD}.", 50, 300)),
    token("gitlab-scim-token", "glsoat-", span(f"{WORD}.", 20, 300)),
    token("gitlab-job-token", "glcbt-", span(f"{WORD}.", 20, 300)),
    token("gitlab-mail-token", "glimt-", span(f"{WORD}.", 25, 300)),
    token("bitbucket-app-password", "ATBB", span(f"{ALNUM}=", 32, 36), alone=True),
    token("bitbucket-repository-token", "ATCTT3xFfG", span(f"{WORD}=", 100, 250)),
    token("atlassian-api-token", "ATATT3xFfG", span(f"{WORD}=", 100, 250)),
    token("sourcegraph-access-token", "sgp_", rf"(?:local_|[{HEX}]{{16}}_)?{span(HEX, 40)}", alone=True),
    token("circleci-token", "CCIPAT_ CCIPRJ_", rf"[{ALNUM}]{{22}}_{span(HEX, 40)}"),
    token("buildkite-token", "bkua_ bkct_", span(ALNUM, 40, 64), alone=True),
    assigned("travis-token", "travis_token travis_api", span(WORD, 22)),
    token("npm-access-token", "npm_", span(ALNUM, 36), check=has_base62_checksum),
    assigned("npm-registry-password", "//registry. _authtoken", rf"(?:{UUID}|{span(BASE64, 40, 400)})"),
    token("pypi-upload-token", "pypi-AgEIcHlwaS5vcmc pypi-AgENdGVzdC5weXBpLm9yZw", span(WORD, 50, 1000)),
    token("rubygems-api-key", "rubygems_", span(HEX, 48)),
    token("crates-io-token", "cio", span(ALNUM, 32), alone=True),
    token("nuget-api-key", "oy2", span(LOWER, 43), alone=True),
    token("clojars-deploy-token", "CLOJARS_", span(HEX, 60)),
    token("docker-access-token", "dckr_pat_", span(WORD, 27)),
    token("docker-organization-token", "dckr_oat_", span(WORD, 32)),
    assigned("docker-registry-auth", '"auth"', f"{span(BASE64, 20, 400)}={{0,2}}+"),
    token("jfrog-api-key", "AKCp", span(ALNUM, 69), alone=True),
    token("jfrog-reference-token", "cmVmdGtu", span(ALNUM, 56), alone=True),
    token("sonar-token", "squ_ sqp_ sqa_", span(HEX, 40), alone=True),
    assigned("snyk-api-token", "snyk", UUID),
    assigned("codecov-token", "codecov", UUID),
    token("postman-api-key", "PMAK-", f"[{HEX}]{{24}}-{span(HEX, 34)}"),
    token("dbt-cloud-token", "dbtc_ dbtu_", span(WORD, 35, 60), alone=True),
    token("prefect-api-key", "pnu_ pnb_", span(ALNUM, 36), alone=True),
)
