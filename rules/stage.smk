# What stages have in common. The rule of a stage says what is its own; each file that has a name there is a flag of that name.


rule stage:
    """One script, called with its files, its settings and its log."""
    log:
        "logs/{name}.log",
    conda:
        "../envs/stages.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb,
        runtime=minutes,
    params:
        script="",
        files=files_of(),
        flags="",
    shell:
        "python {params.script:q} {params.files} {params.flags} --log {log:q}"
