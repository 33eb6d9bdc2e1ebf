"""Amazon API Gateway, HTTP and WebSocket APIs: where in the API each operation acts, and with which verb.

IAM leaves ``/v2`` out. Portals and routing rules have actions of their own and are bound by rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PATHS: Final[Mapping[str, str]] = {
    "/apis": "GET:GetApis POST:CreateApi PUT:ImportApi",
    "/apis/{ApiId}": "DELETE:DeleteApi GET:GetApi PATCH:UpdateApi PUT:ReimportApi",
    "/apis/{ApiId}/authorizers": "GET:GetAuthorizers POST:CreateAuthorizer",
    "/apis/{ApiId}/authorizers/{AuthorizerId}": "DELETE:DeleteAuthorizer GET:GetAuthorizer PATCH:UpdateAuthorizer",
    "/apis/{ApiId}/cors": "DELETE:DeleteCorsConfiguration",
    "/apis/{ApiId}/deployments": "GET:GetDeployments POST:CreateDeployment",
    "/apis/{ApiId}/deployments/{DeploymentId}": "DELETE:DeleteDeployment GET:GetDeployment PATCH:UpdateDeployment",
    "/apis/{ApiId}/exports/{Specification}": "GET:ExportApi",
    "/apis/{ApiId}/integrations": "GET:GetIntegrations POST:CreateIntegration",
    "/apis/{ApiId}/integrations/{IntegrationId}": (
        "DELETE:DeleteIntegration GET:GetIntegration PATCH:UpdateIntegration"
    ),
    "/apis/{ApiId}/integrations/{IntegrationId}/integrationresponses": (
        "GET:GetIntegrationResponses POST:CreateIntegrationResponse"
    ),
    "/apis/{ApiId}/integrations/{IntegrationId}/integrationresponses/{IntegrationResponseId}": (
        "DELETE:DeleteIntegrationResponse GET:GetIntegrationResponse PATCH:UpdateIntegrationResponse"
    ),
    "/apis/{ApiId}/models": "GET:GetModels POST:CreateModel",
    "/apis/{ApiId}/models/{ModelId}": "DELETE:DeleteModel GET:GetModel PATCH:UpdateModel",
    "/apis/{ApiId}/models/{ModelId}/template": "GET:GetModelTemplate",
    "/apis/{ApiId}/routes": "GET:GetRoutes POST:CreateRoute",
    "/apis/{ApiId}/routes/{RouteId}": "DELETE:DeleteRoute GET:GetRoute PATCH:UpdateRoute",
    "/apis/{ApiId}/routes/{RouteId}/requestparameters/{RequestParameterKey}": "DELETE:DeleteRouteRequestParameter",
    "/apis/{ApiId}/routes/{RouteId}/routeresponses": "GET:GetRouteResponses POST:CreateRouteResponse",
    "/apis/{ApiId}/routes/{RouteId}/routeresponses/{RouteResponseId}": (
        "DELETE:DeleteRouteResponse GET:GetRouteResponse PATCH:UpdateRouteResponse"
    ),
    "/apis/{ApiId}/stages": "GET:GetStages POST:CreateStage",
    "/apis/{ApiId}/stages/{StageName}": "DELETE:DeleteStage GET:GetStage PATCH:UpdateStage",
    "/apis/{ApiId}/stages/{StageName}/accesslogsettings": "DELETE:DeleteAccessLogSettings",
    "/apis/{ApiId}/stages/{StageName}/cache/authorizers": "DELETE:ResetAuthorizersCache",
    "/apis/{ApiId}/stages/{StageName}/routesettings/{RouteKey}": "DELETE:DeleteRouteSettings",
    "/domainnames": "GET:GetDomainNames POST:CreateDomainName",
    "/domainnames/{DomainName}": "DELETE:DeleteDomainName GET:GetDomainName PATCH:UpdateDomainName",
    "/domainnames/{DomainName}/apimappings": "GET:GetApiMappings POST:CreateApiMapping",
    "/domainnames/{DomainName}/apimappings/{ApiMappingId}": (
        "DELETE:DeleteApiMapping GET:GetApiMapping PATCH:UpdateApiMapping"
    ),
    "/tags/{ResourceArn}": "DELETE:UntagResource GET:GetTags POST:TagResource",
    "/vpclinks": "GET:GetVpcLinks POST:CreateVpcLink",
    "/vpclinks/{VpcLinkId}": "DELETE:DeleteVpcLink GET:GetVpcLink PATCH:UpdateVpcLink",
}
"""By path, with params in braces: ``VERB:Operation``, with blanks between."""
