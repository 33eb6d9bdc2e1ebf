"""Rules about clouds, hosts and databases as a service; formats as the providers document them."""

from __future__ import annotations

from typing import Final

from connectors.git.leaks.model import Rule
from connectors.git.leaks.shapes import ALNUM, BASE64, HEX, LOWER, UPPER, UUID, WORD, assigned, embedded, span, token

CLOUDS: Final[tuple[Rule, ...]] = (
    token("aws-access-key-id", "AKIA ASIA ABIA ACCA", span("A-Z2-7", 16), alone=True),
    assigned(
        "aws-secret-access-key", "secretaccesskey secret_access_key secret-access-key aws_secret", span(BASE64, 40)
    ),
    assigned("aws-session-token", "aws_session_token sessiontoken", span(f"{BASE64}=", 100, 2000)),
    token("aws-bedrock-api-key", "ABSKQmVkcm9j", span(f"{BASE64}=", 90, 290)),
    token("aws-bedrock-session-key", "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t", span(f"{BASE64}=", 100, 3000)),
    token("aws-mws-token", "amzn.mws.", UUID),
    token("google-api-key", "AIza", span(WORD, 35)),
    token("google-oauth-client-secret", "GOCSPX-", span(WORD, 28)),
    token("google-oauth-access-token", "ya29.", span(WORD, 30, 1000), alone=True),
    token("google-oauth-refresh-token", "1//0", span(WORD, 40, 200), alone=True),
    assigned("google-service-account-key", "private_key_id", span(HEX, 40)),
    embedded("azure-client-secret", "Q~", r"[\w~.]{3}\d", span(r"\w~.-", 31, 34)),
    assigned("azure-storage-key", "accountkey account_key", rf"[{BASE64}]{{86}}=="),
    assigned("azure-shared-access-key", "sharedaccesskey", f"[{BASE64}]{{43}}="),
    token("azure-sas-signature", "&sig= ?sig= ;sig=", f"[{ALNUM}%/+]{{43,64}}+(?:%3[dD]|=)?"),
    embedded("azure-identifiable-key", "JQQJ99", f"[{ALNUM}]{{52}}", span(ALNUM, 26)),
    embedded("azure-data-key", "+ASt +AMC +ABa ACDb", f"[{BASE64}]{{76}}", f"[{BASE64}]{{5}}[AQgw]=="),
    embedded("azure-function-key", "AzFu", r"[\w-]{44}", r"[\w-]{5}[AQgw]=="),
    embedded("azure-devops-token", "AZDO", f"[{ALNUM}]{{76}}", span(ALNUM, 4)),
    token("alibaba-access-key-id", "LTAI", span(ALNUM, 16, 24), alone=True),
    token("tencent-secret-id", "AKID", span(ALNUM, 32), alone=True),
    assigned("ibm-cloud-api-key", "ibmcloud ibm_cloud bluemix", span(WORD, 44)),
    token("yandex-cloud-api-key", "AQVN", span(WORD, 35, 38), alone=True),
    assigned("scaleway-secret-key", "scw_secret_key", UUID),
    assigned("ovh-application-secret", "ovh_application_secret ovh_consumer_key", span(LOWER, 32)),
    token("digitalocean-access-token", "dop_v1_ doo_v1_ dor_v1_", span(HEX, 64)),
    token("heroku-api-token", "HRKU-", rf"(?:AA[{WORD}]{{58}}|{UUID})(?![{WORD}])"),
    assigned("heroku-api-key", "heroku", UUID),
    assigned("cloudflare-api-token", "cloudflare cf_api_ cf_token", span(WORD, 40)),
    assigned("cloudflare-global-key", "cloudflare x-auth-key cf_api_key", span(HEX, 37)),
    token("cloudflare-origin-ca-key", "v1.0-", f"[{HEX}]{{24}}-[{HEX}]{{146}}"),
    assigned("fastly-api-token", "fastly", span(WORD, 32)),
    token("fly-access-token", "FlyV1", rf" fm[12][ar]?_[{BASE64}=,_]{{40,1000}}+"),
    token("netlify-access-token", "nfp_", span(ALNUM, 36)),
    token("render-api-key", "rnd_", span(ALNUM, 28, 34), alone=True),
    token("supabase-access-token", "sbp_", span(HEX, 40), alone=True),
    token("supabase-secret-key", "sb_secret_", span(WORD, 31, 48), alone=True),
    token("planetscale-token", "pscale_tkn_ pscale_oauth_", span(rf"{WORD}.=", 32, 64)),
    token("planetscale-password", "pscale_pw_", span(rf"{WORD}.=", 32, 64)),
    token("neon-api-key", "napi_", span(LOWER, 64), alone=True),
    token("mongodb-atlas-service-secret", "mdb_sa_sk_", span(WORD, 40)),
    token("aiven-token", "AVNS_", span(WORD, 19, 24), alone=True),
    token("databricks-token", "dapi", rf"[{HEX}]{{32}}(?:-\d)?(?![{ALNUM}])", alone=True),
    token("hashicorp-vault-token", "hvs. hvr.", span(WORD, 24, 200), alone=True),
    token("hashicorp-vault-batch-token", "hvb.", span(WORD, 100, 400), alone=True),
    assigned("hashicorp-vault-old-token", "vault_token vault-token", rf"s\.{span(ALNUM, 24)}"),
    embedded("terraform-cloud-token", ".atlasv1.", f"[{ALNUM}]{{14}}", span(WORD, 60, 70)),
    token("pulumi-access-token", "pul-", span(HEX, 40), alone=True),
    token(
        "doppler-token", "dp.pt. dp.st. dp.sa. dp.ct. dp.scim. dp.audit.", r"(?:[\w-]{2,35}+\.)?" + span(ALNUM, 40, 44)
    ),
    token("1password-service-account-token", "ops_eyJ", span(f"{BASE64}=_-", 200, 2000)),
    token("1password-secret-key", "A3-", rf"[{UPPER}]{{6}}-(?:[{UPPER}]{{5}}-){{4}}{span(UPPER, 5)}", alone=True),
    token("tailscale-key", "tskey-auth- tskey-api- tskey-client- tskey-scim- tskey-webhook-", r"\w{8,32}+-\w{20,64}+"),
    token("ngrok-api-key", "ngrok_", span(ALNUM, 40, 60), alone=True),
)
