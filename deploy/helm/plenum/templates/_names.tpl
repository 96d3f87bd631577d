{{- define "plenum.name" -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}-plenum{{- end }}
{{- define "plenum.selector" -}}
app.kubernetes.io/name: plenum
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "plenum.labels" -}}
{{ include "plenum.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- define "plenum.config" -}}
{{- $of := dict "listen" ":8080" "data_dir" "/var/lib/plenum" "drain_delay" .Values.drainDelay "drain" .Values.drain -}}
{{- range list "database" "valkey" "pepper" "master_key" "admin_key" -}}
{{- $_ := set $of . (printf "${file:/run/secrets/plenum/%s}" .) -}}
{{- end -}}
{{ toYaml (merge (deepCopy .Values.config) $of) }}
{{- end }}
