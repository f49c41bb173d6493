@echo off
rem Untested: nobody has run this on Windows yet. The supported way there is WSL, with `make` and scripts/setup.sh.
rem
rem Set up .venv from the hash-locked requirements in envs\, as scripts/setup.sh does.
rem
rem usage: scripts\setup.bat pipeline     what `clustering` and the runners need (envs\pipeline.txt)
rem        scripts\setup.bat dev          that, and what tests and checks need (envs\dev.txt)
rem
rem PYTHON names the interpreter to build .venv with: 3.11, 3.12 or 3.13. Without it, `py -3` is taken.
setlocal
cd /d "%~dp0.."
set "task=%~1"
if "%task%"=="pipeline" goto known
if "%task%"=="dev" goto known
echo usage: scripts\setup.bat pipeline^|dev 1>&2
exit /b 1

:known
if not defined PYTHON set "PYTHON=py -3"
if not exist .venv\Scripts\python.exe (
    %PYTHON% -m venv .venv || exit /b 1
)
.venv\Scripts\python.exe -m pip install --quiet --require-hashes --requirement envs\bootstrap.txt || exit /b 1
.venv\Scripts\uv.exe pip install --python .venv\Scripts\python.exe --require-hashes --build-constraints envs\dev.txt --requirement envs\%task%.txt || exit /b 1
.venv\Scripts\uv.exe pip install --python .venv\Scripts\python.exe --no-deps --no-build-isolation --editable . || exit /b 1
