{{/* Rules of the NetworkPolicies. */}}
{{- define "hookline.ports" -}}
{{- range . }}
- {protocol: TCP, port: {{ . }}}
{{- end }}
{{- end }}
{{- define "hookline.egressDns" -}}
- to:
    {{- toYaml .dns.to | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}
{{- define "hookline.egressBroker" -}}
- to:
    {{- toYaml .broker.to | nindent 4 }}
  ports: {{- include "hookline.ports" .broker.ports | nindent 4 }}
{{- end }}
{{- define "hookline.egressManagement" -}}
- to:
    {{- toYaml .broker.to | nindent 4 }}
  ports: {{- include "hookline.ports" .broker.managementPorts | nindent 4 }}
{{- end }}
{{- define "hookline.egressDatabase" -}}
- to:
    {{- toYaml .database.to | nindent 4 }}
  ports: {{- include "hookline.ports" .database.ports | nindent 4 }}
{{- end }}
{{- define "hookline.egressCollector" -}}
- to:
    {{- toYaml .collector.to | nindent 4 }}
  ports: {{- include "hookline.ports" .collector.ports | nindent 4 }}
{{- end }}

{{/* A network, also where one address alone was given. */}}
{{- define "hookline.network" -}}
{{- if contains "/" . -}}{{ . }}
{{- else if contains ":" . -}}{{ . }}/128
{{- else -}}{{ . }}/32
{{- end -}}
{{- end }}

{{/* (list ROOT COMPONENT): where endpoints may be, for whoever sends to them with this component's settings. */}}
{{- define "hookline.egressReceivers" -}}
{{- $root := index . 0 -}}
{{- $settings := merge (dict) (index . 1).settings $root.Values.settings -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- $refused := $root.Files.Get "files/refused-networks.yaml" | fromYaml }}
{{- $v4 := $refused.ipv4 }}
{{- $v6 := $refused.ipv6 }}
{{- $allowed := list }}
{{- range $cidr := splitList "," (get $settings "HOOKLINE_ALLOW_CIDRS") | compact }}
{{- $allowed = append $allowed (trim $cidr) }}
{{- end }}
{{- /* Only inside of what is let through at all may be an exception. */ -}}
{{- range $cidr := splitList "," (get $settings "HOOKLINE_DENY_CIDRS") | compact }}
{{- $cidr = include "hookline.network" (trim $cidr) }}
{{- if contains ":" $cidr }}
{{- if regexMatch "^[23]" $cidr }}{{ $v6 = append $v6 $cidr }}{{ end }}
{{- else }}{{ $v4 = append $v4 $cidr }}{{ end }}
{{- end }}
{{- $ports := $policy.receivers.ports }}
{{- if eq (get $settings "HOOKLINE_ALLOW_HTTP") "true" }}{{ $ports = append $ports 80 | uniq }}{{ end }}
{{- if get $settings "HOOKLINE_EGRESS_PROXY" }}
{{- if not $policy.egressProxy.to }}{{ fail "networkPolicy.egressProxy.to must say where HOOKLINE_EGRESS_PROXY is" }}{{ end }}
# Requests to endpoints leave through the proxy alone.
- to:
    {{- toYaml $policy.egressProxy.to | nindent 4 }}
  ports: {{- include "hookline.ports" $policy.egressProxy.ports | nindent 4 }}
{{- else }}
# The internet, less what the guard refuses (common/src/guard/address.rs), which it does by itself as well.
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
          {{- toYaml $v4 | nindent 10 }}
    - ipBlock:
        cidr: {{ $refused.ipv6Of }}
        except:
          {{- toYaml $v6 | nindent 10 }}
  ports: {{- include "hookline.ports" $ports | nindent 4 }}
{{- with $allowed }}
# HOOKLINE_ALLOW_CIDRS
- to:
    {{- range . }}
    - ipBlock: {cidr: {{ include "hookline.network" . | quote }}}
    {{- end }}
  ports: {{- include "hookline.ports" $ports | nindent 4 }}
{{- end }}
{{- end }}
{{- end }}
