#!/bin/sh
exec du -sh "$(dirname "$0")"
