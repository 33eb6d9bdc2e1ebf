"""Amazon API Gateway, REST APIs: where in the API each operation acts, and with which verb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PATHS: Final[Mapping[str, str]] = {
    "/account": "GET:GetAccount PATCH:UpdateAccount",
    "/apikeys": "GET:GetApiKeys POST:CreateApiKey POST:ImportApiKeys",
    "/apikeys/{apiKey}": "DELETE:DeleteApiKey GET:GetApiKey PATCH:UpdateApiKey",
    "/clientcertificates": "GET:GetClientCertificates POST:GenerateClientCertificate",
    "/clientcertificates/{clientCertificateId}": (
        "DELETE:DeleteClientCertificate GET:GetClientCertificate PATCH:UpdateClientCertificate"
    ),
    "/domainnames": "GET:GetDomainNames POST:CreateDomainName",
    "/domainnames/{domainName}": "DELETE:DeleteDomainName GET:GetDomainName PATCH:UpdateDomainName",
    "/domainnames/{domainName}/basepathmappings": "GET:GetBasePathMappings POST:CreateBasePathMapping",
    "/domainnames/{domainName}/basepathmappings/{basePath}": (
        "DELETE:DeleteBasePathMapping GET:GetBasePathMapping PATCH:UpdateBasePathMapping"
    ),
    "/restapis": "GET:GetRestApis POST:CreateRestApi POST:ImportRestApi",
    "/restapis/{restApiId}": "DELETE:DeleteRestApi GET:GetRestApi PATCH:UpdateRestApi PUT:PutRestApi",
    "/restapis/{restApiId}/authorizers": "GET:GetAuthorizers POST:CreateAuthorizer",
    "/restapis/{restApiId}/authorizers/{authorizerId}": (
        "DELETE:DeleteAuthorizer GET:GetAuthorizer PATCH:UpdateAuthorizer POST:TestInvokeAuthorizer"
    ),
    "/restapis/{restApiId}/deployments": "GET:GetDeployments POST:CreateDeployment",
    "/restapis/{restApiId}/deployments/{deploymentId}": (
        "DELETE:DeleteDeployment GET:GetDeployment PATCH:UpdateDeployment"
    ),
    "/restapis/{restApiId}/documentation/parts": (
        "GET:GetDocumentationParts POST:CreateDocumentationPart PUT:ImportDocumentationParts"
    ),
    "/restapis/{restApiId}/documentation/parts/{documentationPartId}": (
        "DELETE:DeleteDocumentationPart GET:GetDocumentationPart PATCH:UpdateDocumentationPart"
    ),
    "/restapis/{restApiId}/documentation/versions": "GET:GetDocumentationVersions POST:CreateDocumentationVersion",
    "/restapis/{restApiId}/documentation/versions/{documentationVersion}": (
        "DELETE:DeleteDocumentationVersion GET:GetDocumentationVersion PATCH:UpdateDocumentationVersion"
    ),
    "/restapis/{restApiId}/gatewayresponses": "GET:GetGatewayResponses",
    "/restapis/{restApiId}/gatewayresponses/{responseType}": (
        "DELETE:DeleteGatewayResponse GET:GetGatewayResponse PATCH:UpdateGatewayResponse PUT:PutGatewayResponse"
    ),
    "/restapis/{restApiId}/models": "GET:GetModels POST:CreateModel",
    "/restapis/{restApiId}/models/{modelName}": "DELETE:DeleteModel GET:GetModel PATCH:UpdateModel",
    "/restapis/{restApiId}/models/{modelName}/default_template": "GET:GetModelTemplate",
    "/restapis/{restApiId}/requestvalidators": "GET:GetRequestValidators POST:CreateRequestValidator",
    "/restapis/{restApiId}/requestvalidators/{requestValidatorId}": (
        "DELETE:DeleteRequestValidator GET:GetRequestValidator PATCH:UpdateRequestValidator"
    ),
    "/restapis/{restApiId}/resources": "GET:GetResources",
    "/restapis/{restApiId}/resources/{parentId}": "POST:CreateResource",
    "/restapis/{restApiId}/resources/{resourceId}": "DELETE:DeleteResource GET:GetResource PATCH:UpdateResource",
    "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}": (
        "DELETE:DeleteMethod GET:GetMethod PATCH:UpdateMethod POST:TestInvokeMethod PUT:PutMethod"
    ),
    "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration": (
        "DELETE:DeleteIntegration GET:GetIntegration PATCH:UpdateIntegration PUT:PutIntegration"
    ),
    "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/integration/responses/{statusCode}": (
        "DELETE:DeleteIntegrationResponse GET:GetIntegrationResponse PATCH:UpdateIntegrationResponse "
        "PUT:PutIntegrationResponse"
    ),
    "/restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}/responses/{statusCode}": (
        "DELETE:DeleteMethodResponse GET:GetMethodResponse PATCH:UpdateMethodResponse PUT:PutMethodResponse"
    ),
    "/restapis/{restApiId}/stages": "GET:GetStages POST:CreateStage",
    "/restapis/{restApiId}/stages/{stageName}": "DELETE:DeleteStage GET:GetStage PATCH:UpdateStage",
    "/restapis/{restApiId}/stages/{stageName}/cache/authorizers": "DELETE:FlushStageAuthorizersCache",
    "/restapis/{restApiId}/stages/{stageName}/cache/data": "DELETE:FlushStageCache",
    "/restapis/{restApiId}/stages/{stageName}/exports/{exportType}": "GET:GetExport",
    "/restapis/{restApiId}/stages/{stageName}/sdks/{sdkType}": "GET:GetSdk",
    "/sdktypes": "GET:GetSdkTypes",
    "/sdktypes/{id}": "GET:GetSdkType",
    "/tags/{resourceArn}": "DELETE:UntagResource GET:GetTags PUT:TagResource",
    "/usageplans": "GET:GetUsagePlans POST:CreateUsagePlan",
    "/usageplans/{usagePlanId}": "DELETE:DeleteUsagePlan GET:GetUsagePlan PATCH:UpdateUsagePlan",
    "/usageplans/{usagePlanId}/keys": "GET:GetUsagePlanKeys POST:CreateUsagePlanKey",
    "/usageplans/{usagePlanId}/keys/{keyId}": "DELETE:DeleteUsagePlanKey GET:GetUsagePlanKey",
    "/usageplans/{usagePlanId}/keys/{keyId}/usage": "PATCH:UpdateUsage",
    "/usageplans/{usagePlanId}/usage": "GET:GetUsage",
    "/vpclinks": "GET:GetVpcLinks POST:CreateVpcLink",
    "/vpclinks/{vpcLinkId}": "DELETE:DeleteVpcLink GET:GetVpcLink PATCH:UpdateVpcLink",
}
"""By path, with params in braces: ``VERB:Operation``, with blanks between."""
