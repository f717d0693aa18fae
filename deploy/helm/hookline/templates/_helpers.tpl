{{- define "hookline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 50 characters, as the names of the parts are longer. */}}
{{- define "hookline.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "hookline.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What all pods of this release have, and no others. */}}
{{- define "hookline.releaseLabels" -}}
app.kubernetes.io/name: {{ include "hookline.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* (list . COMPONENT) */}}
{{- define "hookline.selectorLabels" -}}
{{- $root := index . 0 -}}
{{ include "hookline.releaseLabels" $root }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* (list . COMPONENT) */}}
{{- define "hookline.labels" -}}
{{- $root := index . 0 -}}
{{ include "hookline.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hookline
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "hookline.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hookline.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* (list . PROGRAM) */}}
{{- define "hookline.image" -}}
{{- $root := index . 0 -}}
{{- $program := index . 1 -}}
{{- $image := $root.Values.image -}}
{{- $repository := index $image.repositories $program -}}
{{- with $image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $repository -}}
{{- with index $image.digests $program -}}
@{{ . }}
{{- else -}}
:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "hookline.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Group and user are those of the images. */}}
{{- define "hookline.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "hookline.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* (list . "dispatcher"): the settings of a program as env; its own win. */}}
{{- define "hookline.settings" -}}
{{- $root := index . 0 -}}
{{- $own := (index $root.Values (index . 1)).settings -}}
{{- range $name, $value := merge (dict) $own $root.Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* (list . NAME): the value of a setting for the dispatcher, or nothing. */}}
{{- define "hookline.dispatcherSetting" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- get (merge (dict) $root.Values.dispatcher.settings $root.Values.settings) $name -}}
{{- end -}}

{{/* Whether the console certifies endpoints: where it is said so, as it reaches no endpoint else. */}}
{{- define "hookline.certifies" -}}
{{- $settings := merge (dict) .Values.console.settings .Values.settings -}}
{{- $proxy := include "hookline.dispatcherSetting" (list . "HOOKLINE_EGRESS_PROXY") -}}
{{- if eq (get $settings "HOOKLINE_CERTIFY") "on" -}}
{{- if ne (get $settings "HOOKLINE_EGRESS_PROXY") $proxy -}}
{{- fail "HOOKLINE_CERTIFY is on, so the console's HOOKLINE_EGRESS_PROXY must be the dispatchers': set it under settings, for both" -}}
{{- end -}}
yes
{{- end -}}
{{- end -}}

{{/* Whole seconds of a duration, rounded up. */}}
{{- define "hookline.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "ms" -}}{{ div (add $number 999) 1000 }}
{{- else if eq $unit "s" -}}{{ $number }}
{{- else if eq $unit "m" -}}{{ mul $number 60 }}
{{- else -}}{{ fail (printf "HOOKLINE_REQUEST_TIMEOUT %s must be a duration from 100ms to 10m" .) }}
{{- end -}}
{{- end -}}

{{/*
A dispatcher's stop takes the request timeout and 12 s at most (dispatcher/src/stop.rs); 3 s more are for the kubelet.
*/}}
{{- define "hookline.dispatcherGrace" -}}
{{- $timeout := include "hookline.dispatcherSetting" (list . "HOOKLINE_REQUEST_TIMEOUT") | default "30s" -}}
{{- $longest := add (include "hookline.seconds" $timeout | int64) 12 -}}
{{- $wanted := .Values.dispatcher.terminationGracePeriodSeconds | int64 -}}
{{- if and $wanted (lt $wanted $longest) -}}
{{- fail (printf "dispatcher.terminationGracePeriodSeconds is %d, and a stop takes up to %d s with HOOKLINE_REQUEST_TIMEOUT=%s: give more, or 0" $wanted $longest $timeout) -}}
{{- end -}}
{{- $wanted | default (add $longest 3) -}}
{{- end -}}

{{- define "hookline.usesDatabase" -}}
{{- if not .Values.dispatcher.endpointsFile.secret }}yes{{ end -}}
{{- end -}}

{{/* (dict "secret" REFERENCE "path" FILE): one source of a projected volume. */}}
{{- define "hookline.secretSource" -}}
- secret:
    name: {{ .secret.name }}
    items:
      - key: {{ .secret.key }}
        path: {{ .path }}
{{- end -}}

{{/* (list . BUNDLE-REFERENCE PATH) */}}
{{- define "hookline.caSource" -}}
- configMap:
    name: {{ .bundle.configMap }}
    items:
      - key: {{ .bundle.key }}
        path: {{ .path }}
{{- end -}}

{{/* (list . COMPONENT VALUES): over zones and hosts, as well as it goes. */}}
{{- define "hookline.spread" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- with (index . 2).topologySpreadConstraints -}}
{{ toYaml . }}
{{- else -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "hookline.selectorLabels" (list $root $component) | nindent 6 }}
  # Each version by itself, or a rolling update would look balanced where the new pods are not.
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end -}}
{{- end -}}

{{/* Where a pod may run. */}}
{{- define "hookline.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
