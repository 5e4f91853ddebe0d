// Runs the step with stand-ins for what Jenkins gives a pipeline, and prints how the build would end.
def step = new GroovyShell().parse(new File(args[0]))
def variables = [:]
step.metaClass.error = { String why -> throw new IllegalStateException(why) }
step.metaClass.unstable = { String why -> println('result: unstable') }
step.metaClass.string = { Map m -> m }
step.metaClass.withCredentials = { List l, Closure body -> body() }
step.metaClass.withEnv = { List<String> l, Closure body ->
    l.each { variables[it.split('=', 2)[0]] = it.split('=', 2)[1] }
    body()
}
step.metaClass.sh = { Map m ->
    def file = File.createTempFile('step', '.sh')
    file.text = m.script
    def builder = new ProcessBuilder('sh', file.path).inheritIO()
    builder.environment().putAll(variables)
    def code = builder.start().waitFor()
    file.delete()
    code
}
try {
    step.call(service: 'orders', environment: 'production', version: '1.4.2', reason: '$(touch injected)')
    println('result: success')
} catch (IllegalStateException e) {
    println("result: failure: ${e.message}")
}
try {
    step.call(servise: 'orders')
    println('a wrong name was taken')
    System.exit(1)
} catch (IllegalStateException e) {
    assert e.message.contains('unknown servise; it takes service')
}
